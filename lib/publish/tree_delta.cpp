// Both trees are read once to know what is in them; then the record of the new tree and the
// artifact go to one file, which gets its name when it is whole.
#include "publish/tree_delta.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "delta/tree_record.hpp"
#include "publish/delta_build.hpp"
#include "publish/tree_sides.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;

// A file that is written under another name, and renamed when it is whole.
class NewFile {
 public:
  explicit NewFile(fs::path path) : path_(std::move(path)), temporary_(path_) {
    temporary_ += fmt::format(".tmp.{}", ::getpid());
  }
  ~NewFile() {
    if (fd_) ::unlink(temporary_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  Result<int> open() {
    fd_ = UniqueFd(
        ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd_) return fail(system_error(errno, "create", temporary_.native()));
    return fd_.get();
  }
  Result<void> finish() {
    if (::fsync(fd_.get()) != 0) return fail(system_error(errno, "flush", temporary_.native()));
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
      return fail(system_error(errno, "rename into place", path_.native()));
    }
    fd_.reset();
    return {};
  }
  const std::string& name() const { return temporary_.native(); }

 private:
  fs::path path_;
  fs::path temporary_;
  UniqueFd fd_;
};

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{:.3g} MB", static_cast<double>(bytes) / 1e6);
}

}  // namespace

std::string reason_for(const delta::FileCost& cost) {
  if (cost.covered_bytes == 0) return "nothing in the old tree is like it";
  const std::string price = megabytes(cost.delta_bytes);
  if (cost.covered_bytes < cost.new_bytes / 2) {
    return fmt::format("{} of {} are like nothing in the old tree",
                       megabytes(cost.new_bytes - cost.covered_bytes), megabytes(cost.new_bytes));
  }
  if (cost.moved_bytes > cost.new_bytes / 4) {
    return fmt::format("reshuffled: {} of moved bytes cost {}", megabytes(cost.moved_bytes), price);
  }
  return fmt::format("changed in many places: {} of it are like the old tree's",
                     megabytes(cost.covered_bytes));
}

TreeCounts count_tree(std::span<const delta::Origin> origins, delta::FileList new_files) {
  TreeCounts counts;
  for (std::size_t i = 0; i < new_files.size(); ++i) {
    ++counts.files;
    counts.bytes += new_files[i].size;
    if (origins[i].kind == delta::Origin::Kind::made) {
      ++counts.made_files;
      counts.made_bytes += new_files[i].size;
    } else if (origins[i].kind != delta::Origin::Kind::empty) {
      ++counts.copied_files;
      counts.copied_bytes += new_files[i].size;
    }
  }
  return counts;
}

std::vector<CostlyFile> by_cost(const std::vector<delta::FileCost>& costs,
                                delta::FileList new_files) {
  std::vector<CostlyFile> files;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (costs[i].new_bytes > 0) files.push_back({new_files[i].path.text(), costs[i]});
  }
  std::ranges::stable_sort(
      files, [](const auto& a, const auto& b) { return a.cost.delta_bytes > b.cost.delta_bytes; });
  return files;
}

Result<TreeDeltaReport> make_tree_delta(const fs::path& old_tree, const fs::path& new_tree,
                                        const fs::path& output, const TreeDeltaOptions& options,
                                        WorkerPool& pool) {
  const StageProgress progress(options.progress);
  SHOAL_ASSIGN(
      auto old_side,
      TreeSide::read(old_tree, pool, {TreeDetail::recipes, progress.of("Old tree"), options.stop}));
  SHOAL_ASSIGN(
      auto new_side,
      TreeSide::read(new_tree, pool, {TreeDetail::recipes, progress.of("New tree"), options.stop}));
  TreeDeltaReport report;
  SHOAL_ASSIGN(report.warnings,
               check_paths(new_side->content().component, options.allow_outside_links));
  const auto& old_component = old_side->content().component;
  const auto& new_component = new_side->content().component;

  DeltaBuildOptions building;
  building.memory_bytes = options.memory_bytes;
  building.scratch_folder = folder_of(output);
  building.progress = progress.of("Encoding");
  building.stop = options.stop;
  SHOAL_ASSIGN(const auto built,
               build_delta(old_side->delta_side(), new_side->delta_side(), building, pool));

  const Bytes record = delta::format_tree_record(old_component, new_component);
  NewFile file(output);
  SHOAL_ASSIGN(const int fd, file.open());
  SHOAL_TRY(pwrite_all(fd, record, 0, file.name()));
  SHOAL_TRY(write_artifact(built, fd, record.size(), file.name()));
  SHOAL_TRY(file.finish());

  report.new_tree =
      count_tree(delta::match_trees(old_component.files, new_component.files), new_component.files);
  report.old_bytes = old_component.total_bytes();
  report.record_bytes = record.size();
  report.head_bytes = built.head.size();
  report.size = record.size() + built.size();
  report.groups = built.made.head.groups.size();
  report.statistics = built.made.statistics;
  report.files = by_cost(built.made.files, new_component.files);
  return report;
}

}  // namespace shoal::publish
