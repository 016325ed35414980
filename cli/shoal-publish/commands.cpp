// Composes clock, workers, keys and repository for each command, and prints the report: a few lines
// for people, or one JSON document.
#include "commands.hpp"

#include <fmt/core.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "cli/usage/sanitised.hpp"
#include "delta_commands.hpp"
#include "proposal_file.hpp"
#include "publish/check.hpp"
#include "publish/inspect.hpp"
#include "release_costs.hpp"
#include "report.hpp"
#include "terminal.hpp"

namespace shoal::cli {
namespace {

using nlohmann::json;

json to_json(const publish::BuildStatistics& statistics) {
  return {{"files", statistics.files},
          {"tree_bytes", statistics.tree_bytes},
          {"image_bytes", statistics.image_bytes},
          {"edge_bytes", statistics.edge_bytes},
          {"new_bundle_bytes", statistics.new_bundle_bytes},
          {"reused_pieces", statistics.reused_pieces}};
}

json proposal_path(const CommonOptions& common, const std::optional<publish::Proposal>& proposal) {
  return proposal ? json(common.propose.string()) : json();
}

json to_json(const std::vector<publish::Finding>& findings) {
  json out = json::array();
  for (const auto& finding : findings)
    out.push_back({{"path", finding.path}, {"problem", finding.problem}});
  return out;
}

}  // namespace

Result<int> init(const CommonOptions& common, const InitOptions& options) {
  auto keys = keys_of(common, true);
  SHOAL_ASSIGN(auto report, publish::init_repository(common.repository, keys, options.no_passphrase,
                                                     options.info, environment()));
  std::string root = (common.repository / "root.json").string();
  if (common.json) {
    print_json({{"repository", common.repository.string()},
                {"root", root},
                {"keys", keys.folder().string()},
                {"keys_made", report.keys_made},
                {"key_ids", report.key_ids}});
  } else {
    fmt::print("Repository {} is ready; {} keys made in {}.\n", common.repository.string(),
               report.keys_made, keys.folder().string());
    fmt::print("Give {} to clients: shoal repo add URL --root {}\n", root, root);
  }
  return kOk;
}

Result<int> release(const CommonOptions& common, const publish::ReleaseRequest& asked,
                    const std::string& memory) {
  publish::ReleaseRequest request = asked;
  SHOAL_ASSIGN(request.deltas.memory_bytes, parse_size(memory));
  SHOAL_TRY(check_proposal_name(common.propose));
  StageBars bars;
  Told told;
  SHOAL_ASSIGN(auto repository, open_repository(common, told, [&] { bars.end(); }));
  auto keys = keys_of(common);
  WorkerPool pool;
  request.deltas.progress = [&](const std::string& from, std::uint64_t done, std::uint64_t total) {
    bars.update("Delta from " + from, done, total);
  };
  auto result = repository.release(
      request, keys, pool,
      [&](std::uint64_t done, std::uint64_t total) { bars.update("Reading", done, total); });
  bars.end();
  SHOAL_ASSIGN(auto report, std::move(result));
  const auto& build = request.build;
  if (report.proposal) SHOAL_TRY(leave_proposal(common, *report.proposal));
  if (common.json) {
    json document = to_json(report.statistics);
    document.update({{"product", build.product},
                     {"version", build.version},
                     {"component", build.component},
                     {"nothing_to_do", report.nothing_to_do},
                     {"channels", report.channels},
                     {"updates", costs_json(report.updates)},
                     {"warnings", report.warnings},
                     {"signed", to_json(told)},
                     {"proposal", proposal_path(common, report.proposal)}});
    print_json(document);
    return kOk;
  }
  print_warnings(report.warnings);
  if (report.nothing_to_do) {
    fmt::print("{} {} is published already, with the same content.\n", build.product,
               build.version);
    return kOk;
  }
  const auto& numbers = report.statistics;
  fmt::print("{} {} {} ({}): {} files, {}; {} on the edge, {} of them new.\n",
             report.proposal ? "Proposed" : "Published", build.product, build.version,
             build.component, numbers.files, human_bytes(numbers.tree_bytes),
             human_bytes(numbers.edge_bytes), human_bytes(numbers.new_bundle_bytes));
  for (const auto& name : report.channels)
    fmt::print("Channel {} {} {}.\n", name, report.proposal ? "will be" : "is now", build.version);
  if (!report.updates.empty()) print_costs(numbers.edge_bytes, report.updates);
  return kOk;
}

Result<int> channel(const CommonOptions& common, const ChannelOptions& options) {
  SHOAL_TRY(check_proposal_name(common.propose));
  Told told;
  SHOAL_ASSIGN(auto repository, open_repository(common, told));
  auto keys = keys_of(common);
  SHOAL_ASSIGN(auto report, repository.set_channel(options.product, options.channel,
                                                   options.version, keys, !common.propose.empty()));
  if (report.proposal) SHOAL_TRY(leave_proposal(common, *report.proposal));
  if (common.json) {
    print_json({{"product", options.product},
                {"channel", options.channel},
                {"version", options.version},
                {"changed", report.changed},
                {"warnings", report.warnings},
                {"signed", to_json(told)},
                {"proposal", proposal_path(common, report.proposal)}});
    return kOk;
  }
  print_warnings(report.warnings);
  fmt::print("Channel {} of {} {} {}.\n", options.channel, options.product,
             report.proposal  ? "will be"
             : report.changed ? "is now"
                              : "was already",
             options.version);
  return kOk;
}

Result<int> refresh(const CommonOptions& common, bool all) {
  Told told;
  SHOAL_ASSIGN(auto repository, open_repository(common, told));
  auto keys = keys_of(common);
  // What is online is renewed in any case: a name that is taken is no reason to let it expire.
  auto name = check_proposal_name(common.propose);
  SHOAL_ASSIGN(auto report,
               repository.refresh(keys, {all, !common.propose.empty() && name.has_value()}));
  if (!name) report.warnings.push_back(name.error().describe());
  if (report.proposal) SHOAL_TRY(leave_proposal(common, *report.proposal));
  auto expires = format_utc(repository.state().timestamp.expires);
  if (common.json) {
    print_json({{"renewed", report.renewed},
                {"warnings", report.warnings},
                {"expires", expires},
                {"signed", to_json(told)},
                {"proposal", proposal_path(common, report.proposal)}});
    return kOk;
  }
  print_warnings(report.warnings);
  if (!report.renewed.empty())
    fmt::print("Signed anew: {}. Good until {}.\n", fmt::join(report.renewed, ", "), expires);
  return kOk;
}

namespace {

json to_json(const std::vector<publish::ListedDelta>& deltas) {
  json out = json::array();
  for (const auto& delta : deltas)
    out.push_back(
        {{"component", delta.component}, {"from", delta.from}, {"edge_bytes", delta.edge_bytes}});
  return out;
}

json to_json(const publish::Listing& listing) {
  json products = json::array();
  for (const auto& product : listing.products) {
    json releases = json::array();
    for (const auto& entry : product.releases)
      releases.push_back({{"version", entry.version},
                          {"components", entry.components},
                          {"channels", entry.channels},
                          {"files", entry.files},
                          {"tree_bytes", entry.tree_bytes},
                          {"edge_bytes", entry.edge_bytes},
                          {"deltas", to_json(entry.deltas)}});
    products.push_back({{"product", product.product},
                        {"expires", format_utc(product.expires)},
                        {"releases", std::move(releases)}});
  }
  json expires = json::object();
  for (const auto& [role, time] : listing.expires) expires[role] = format_utc(time);
  return {{"products", std::move(products)},
          {"expires", std::move(expires)},
          {"mirrors", listing.info.mirrors},
          {"trackers", listing.info.trackers},
          {"policy", content::name_of(listing.info.policy)},
          {"dht", listing.info.dht},
          {"bundles", listing.bundles},
          {"bundle_bytes", listing.bundle_bytes}};
}

}  // namespace

Result<int> list(const CommonOptions& common) {
  SHOAL_ASSIGN(auto listing, publish::list_repository(common.repository));
  if (common.json) {
    print_json(to_json(listing));
    return kOk;
  }
  for (const auto& product : listing.products) {
    fmt::print("{} (signed until {})\n", product.product, format_utc(product.expires));
    for (const auto& entry : product.releases) {
      fmt::print("  {:<16} {:>8} files {:>10} {:>10} on the edge  {}{}\n", entry.version,
                 entry.files, human_bytes(entry.tree_bytes), human_bytes(entry.edge_bytes),
                 fmt::join(entry.channels, " "),
                 entry.components.size() > 1
                     ? fmt::format("  [{}]", fmt::join(entry.components, ", "))
                     : "");
      for (const auto& delta : entry.deltas)
        fmt::print("    delta from {} ({}): {}\n", delta.from, delta.component,
                   human_bytes(delta.edge_bytes));
    }
  }
  if (listing.products.empty()) fmt::print("No products yet.\n");
  fmt::print("Bundles: {}, {}.", listing.bundles, human_bytes(listing.bundle_bytes));
  for (auto role : {"root", "targets", "snapshot", "timestamp"})
    fmt::print(" {} until {}{}", role, format_utc(listing.expires.at(role)),
               role == std::string_view("timestamp") ? ".\n" : ",");
  return kOk;
}

Result<int> check(const CommonOptions& common, bool apply_deltas) {
  WorkerPool pool;
  Result<publish::CheckReport> result;
  {
    ProgressBar bar("Checking");
    result = publish::check_repository(
        common.repository, SystemClock().now(), pool,
        [&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); }, apply_deltas);
  }
  SHOAL_ASSIGN(auto report, std::move(result));
  bool good = report.findings.empty();
  if (common.json) {
    print_json({{"good", good},
                {"findings", to_json(report.findings)},
                {"notes", to_json(report.notes)},
                {"metadata_files", report.metadata_files},
                {"targets", report.targets},
                {"bundles", report.bundles},
                {"bundle_bytes", report.bundle_bytes},
                {"pieces", report.pieces},
                {"deltas", report.deltas}});
    return good ? kOk : kFailed;
  }
  for (const auto& finding : report.findings)
    fmt::print(stderr, "wrong: {}: {}\n", sanitised(finding.path), sanitised(finding.problem));
  for (const auto& note : report.notes)
    fmt::print(stderr, "note: {}: {}\n", sanitised(note.path), sanitised(note.problem));
  fmt::print("{}: {} metadata files, {} targets, {} bundles ({}), {} pieces, {} deltas.\n",
             good ? "All good" : fmt::format("{} problems", report.findings.size()),
             report.metadata_files, report.targets, report.bundles,
             human_bytes(report.bundle_bytes), report.pieces, report.deltas);
  return good ? kOk : kFailed;
}

Result<int> image(const CommonOptions& common, const ImageOptions& options) {
  SHOAL_TRY(publish::export_image(common.repository, options.product, options.version,
                                  options.component, options.output));
  if (common.json)
    print_json({{"output", options.output.string()},
                {"bytes", std::filesystem::file_size(options.output)}});
  else
    fmt::print("Wrote {}.\n", options.output.string());
  return kOk;
}

Result<int> serve(const CommonOptions& common, const publish::ListenAddress& listen) {
  SHOAL_TRY(publish::serve(common.repository, listen, [&](const auto& real) {
    if (common.json)
      fmt::print("{}\n", json{{"url", publish::url_of(real)}}.dump());
    else
      fmt::print("Serving {} at {}\n", common.repository.string(), publish::url_of(real));
    std::fflush(stdout);
  }));
  return kOk;
}

}  // namespace shoal::cli
