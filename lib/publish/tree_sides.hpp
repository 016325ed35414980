// A folder as one side of a delta, and the progress of several stages. Private to `publish`.
#pragma once

#include "publish/delta_build.hpp"

namespace shoal::publish {

// An opened folder with what read_tree() found in it. Not movable: its files refer to it.
class TreeSide {
 public:
  static Result<std::unique_ptr<TreeSide>> read(const std::filesystem::path& folder,
                                                WorkerPool& pool, const ReadTreeOptions& options);
  TreeSide(const TreeSide&) = delete;
  TreeSide& operator=(const TreeSide&) = delete;

  const TreeContent& content() const { return content_; }
  const BeneathDir& folder() const { return folder_; }
  // A file that is no longer what was hashed is refused when it is opened.
  OpenFiles& files() { return files_; }
  DeltaSide delta_side() { return {content_.component, content_.recipes, files_}; }

 private:
  explicit TreeSide(BeneathDir folder) : folder_(std::move(folder)) {}

  BeneathDir folder_;
  TreeContent content_;
  OpenFiles files_{[this](FileIndex file) { return open(file); }};

  Result<UniqueFd> open(FileIndex file) const;
};

// The rules of release.json for the paths of a tree; the outcome is what should be reported.
Result<std::vector<std::string>> check_paths(const content::Component& tree,
                                             bool allow_outside_links);

// Calls of many threads, one at a time.
class StageProgress {
 public:
  using Report = std::function<void(std::string_view, std::uint64_t, std::uint64_t)>;
  explicit StageProgress(const Report& report) : report_(report) {}
  std::function<void(std::uint64_t, std::uint64_t)> of(std::string_view stage) const {
    if (!report_) return {};
    return [this, stage](std::uint64_t done, std::uint64_t total) {
      std::lock_guard lock(mutex_);
      report_(stage, done, total);
    };
  }

 private:
  const Report& report_;
  mutable std::mutex mutex_;
};

}  // namespace shoal::publish
