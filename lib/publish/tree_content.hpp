// A tree on disk as the delta codec needs it: its files with their roots and chunks, and their
// bytes on demand. Private to `publish`.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/beneath_dir.hpp"
#include "base/stop_token.hpp"
#include "base/worker_pool.hpp"
#include "content/manifest.hpp"
#include "content/recipe.hpp"
#include "delta/byte_source.hpp"

namespace shoal::publish {

struct TreeContent {
  content::Component component;   // without offsets
  content::Recipes recipes;       // empty lists where they were not asked for
  std::vector<FileStamp> stamps;  // by file: what was found
};

// What is found out, each with all before it.
enum class TreeDetail {
  listing,  // names and sizes: no file is opened
  roots,
  recipes,
};

// Scans the tree and, for more than its listing, reads each file once, on all cores. Errors: those
// of scan_tree; io_error (a file that changes meanwhile), cancelled, not_found.
struct ReadTreeOptions {
  TreeDetail detail = TreeDetail::roots;
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;  // from any thread
  StopToken stop{};
};
Result<TreeContent> read_tree(const BeneathDir& tree, WorkerPool& pool,
                              const ReadTreeOptions& options);

// Descriptors of a tree's files: opened when first used, a limited number at a time. Thread-safe.
class OpenFiles {
 public:
  using Open = std::function<Result<UniqueFd>(FileIndex)>;  // from any thread, one file even twice
  explicit OpenFiles(Open open) : open_(std::move(open)) {}
  // Stays open while somebody holds it.
  Result<std::shared_ptr<const UniqueFd>> get(FileIndex file);
  // One that is open already.
  void add(FileIndex file, UniqueFd fd);

 private:
  // A quarter of what the process may have: a delta has two trees open.
  static std::size_t fair_share();
  std::shared_ptr<const UniqueFd> keep(FileIndex file, UniqueFd fd);

  Open open_;
  const std::size_t most_ = fair_share();
  std::mutex mutex_;
  std::unordered_map<FileIndex, std::shared_ptr<const UniqueFd>> files_;
  std::deque<FileIndex> order_;  // in which they were opened
};

// A file of a tree, which has the size that it was found to have.
class TreeSource final : public delta::ByteSource {
 public:
  TreeSource(OpenFiles& files, FileIndex index, const content::FileEntry& entry)
      : files_(files), index_(index), entry_(entry) {}
  std::uint64_t size() const override { return entry_.size; }
  Result<void> read(std::uint64_t offset, MutableByteView out) const override;

 private:
  OpenFiles& files_;
  FileIndex index_;
  const content::FileEntry& entry_;
};

}  // namespace shoal::publish
