// Deltas between two folders: progress for each stage on a terminal, then a few lines or one JSON
// document about what was made and which files cost most.
#include "delta_commands.hpp"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "publish/tree_delta.hpp"
#include "release_costs.hpp"
#include "report.hpp"
#include "terminal.hpp"

namespace shoal::cli {
namespace {

using nlohmann::json;

publish::TreeDeltaOptions with_progress(const DeltaOptions& options, StageBars& bars) {
  publish::TreeDeltaOptions out;
  out.allow_outside_links = options.allow_outside_links;
  out.stop = options.stop;
  out.progress = [&bars](std::string_view stage, std::uint64_t done, std::uint64_t total) {
    bars.update(stage, done, total);
  };
  return out;
}

json to_json(const publish::TreeCounts& counts) {
  return {{"files", counts.files},
          {"bytes", counts.bytes},
          {"copied_files", counts.copied_files},
          {"copied_bytes", counts.copied_bytes},
          {"made_files", counts.made_files},
          {"made_bytes", counts.made_bytes}};
}

json to_json(const publish::TreeDeltaReport& report) {
  const auto& kinds = report.statistics;
  return {{"delta_bytes", report.size},
          {"record_bytes", report.record_bytes},
          {"head_bytes", report.head_bytes},
          {"groups", report.groups},
          {"old_bytes", report.old_bytes},
          {"new_tree", to_json(report.new_tree)},
          {"made_bytes_by_kind",
           {{"equal", kinds.equal_bytes},
            {"references", kinds.reference_bytes},
            {"differences", kinds.difference_bytes},
            {"literals", kinds.literal_bytes}}},
          {"wrong_references", kinds.wrong_references},
          {"covers", kinds.covers},
          {"compressed_members", kinds.members},
          {"warnings", report.warnings},
          {"files", file_costs_json(report.files)}};
}

}  // namespace

Result<std::uint64_t> parse_size(const std::string& text) {
  struct Unit {
    std::string_view name;
    double bytes;
  };
  constexpr std::array kUnits = {Unit{"", 1},          Unit{"B", 1},         Unit{"kB", 1e3},
                                 Unit{"KB", 1e3},      Unit{"MB", 1e6},      Unit{"GB", 1e9},
                                 Unit{"KiB", 1 << 10}, Unit{"MiB", 1 << 20}, Unit{"GiB", 1 << 30}};
  constexpr double kMost = 1e15;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& unit : kUnits) {
    if (error != std::errc() || rest != unit.name || !(number > 0)) continue;
    if (number * unit.bytes > kMost) break;
    return static_cast<std::uint64_t>(number * unit.bytes);
  }
  return fail(ErrorKind::invalid_request, fmt::format("'{}' is not a size", text),
              "Write it like 500MB or 2GB.");
}

Result<int> delta(const CommonOptions& common, const DeltaOptions& options) {
  WorkerPool pool;
  Result<publish::TreeDeltaReport> result;
  {
    StageBars bars;
    auto making = with_progress(options, bars);
    SHOAL_ASSIGN(making.memory_bytes, parse_size(options.memory));
    result =
        publish::make_tree_delta(options.old_tree, options.new_tree, options.delta, making, pool);
  }
  SHOAL_ASSIGN(const auto report, std::move(result));
  if (common.json) {
    print_json(to_json(report));
    return kOk;
  }
  print_warnings(report.warnings);
  const auto& tree = report.new_tree;
  fmt::print("Wrote {}: {} for {} files, {}; {} files ({}) are in the old tree as they are.\n",
             options.delta.string(), human_bytes(report.size), tree.files, human_bytes(tree.bytes),
             tree.copied_files, human_bytes(tree.copied_bytes));
  print_file_costs(report.files);
  return kOk;
}

Result<int> delta_apply(const CommonOptions& common, const DeltaOptions& options) {
  WorkerPool pool;
  Result<publish::TreeCounts> result;
  {
    StageBars bars;
    result = publish::apply_tree_delta(options.old_tree, options.delta, options.out_tree,
                                       with_progress(options, bars), pool);
  }
  SHOAL_ASSIGN(const auto counts, std::move(result));
  if (common.json) {
    json document = to_json(counts);
    document["output"] = options.out_tree.string();
    print_json(document);
    return kOk;
  }
  fmt::print("Made {}: {} files, {}; {} ({}) from the delta, all verified.\n",
             options.out_tree.string(), counts.files, human_bytes(counts.bytes), counts.made_files,
             human_bytes(counts.made_bytes));
  return kOk;
}

}  // namespace shoal::cli
