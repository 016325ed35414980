// `shoal-publish delta` and `delta-apply`: a delta that stands alone, between two folders.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/stop_token.hpp"
#include "base/worker_pool.hpp"
#include "delta/make_artifact.hpp"

namespace shoal::publish {

struct TreeDeltaOptions {
  std::uint64_t memory_bytes = delta::kDefaultMemoryBytes;
  bool allow_outside_links = false;
  // What is being done, and how far it is. From any thread, one at a time.
  std::function<void(std::string_view stage, std::uint64_t done, std::uint64_t total)> progress;
  StopToken stop{};
};

// What became of the new tree's files.
struct TreeCounts {
  std::uint64_t files = 0, bytes = 0;                // of the whole tree
  std::uint64_t copied_files = 0, copied_bytes = 0;  // the same bytes are there under some name
  std::uint64_t made_files = 0, made_bytes = 0;      // from the delta's blocks
};

struct CostlyFile {
  std::string path;
  delta::FileCost cost;
};

struct TreeDeltaReport {
  TreeCounts new_tree;
  std::uint64_t old_bytes = 0;
  std::uint64_t size = 0;  // of the delta: record, head and blocks
  std::uint64_t record_bytes = 0;
  std::uint64_t head_bytes = 0;
  std::size_t groups = 0;
  delta::EncodeStatistics statistics;
  std::vector<CostlyFile> files;  // those that are made, the most expensive first
  std::vector<std::string> warnings;
};

// In words, why a file costs what it does.
std::string reason_for(const delta::FileCost& cost);
TreeCounts count_tree(std::span<const delta::Origin> origins, delta::FileList new_files);
std::vector<CostlyFile> by_cost(const std::vector<delta::FileCost>& costs,
                                delta::FileList new_files);

// Writes `output`, whole or not at all. The delta has been decoded and compared. Errors: those of
// read_tree and check_tree_paths, cancelled, disk_full, io_error.
Result<TreeDeltaReport> make_tree_delta(const std::filesystem::path& old_tree,
                                        const std::filesystem::path& new_tree,
                                        const std::filesystem::path& output,
                                        const TreeDeltaOptions& options, WorkerPool& pool);

// Makes `out_tree`, which must not be there (or be an empty folder). It is built beside it, as
// `out_tree`.partial.XXXXXX, and gets its name when every file was verified; on an error nothing is
// left. Of the old tree only what the new one is made from is read, once. Errors: conflict
// (`out_tree` is there, or the delta is for other trees), metadata_invalid, verification_failed,
// cancelled, and those of files.
Result<TreeCounts> apply_tree_delta(const std::filesystem::path& old_tree,
                                    const std::filesystem::path& delta_file,
                                    const std::filesystem::path& out_tree,
                                    const TreeDeltaOptions& options, WorkerPool& pool);

}  // namespace shoal::publish
