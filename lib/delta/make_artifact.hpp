// Makes a delta artifact for two trees, group by group.
#pragma once

#include "delta/encode.hpp"
#include "delta/grouping.hpp"

namespace shoal::delta {

struct MakeOptions {
  std::uint64_t memory_bytes = kDefaultMemoryBytes;  // at least kMinMemoryBytes are used
  std::uint64_t group_bytes = 0;  // at most so many in a group; 0: as the memory allows
  // Exactly out.size() bytes of a file; the range lies in it. On the calling thread.
  using Read =
      std::function<Result<void>(FileIndex file, std::uint64_t offset, MutableByteView out)>;
  Read read_old, read_new;
  std::function<Result<void>(ByteView)> write;                            // the blocks, in order
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;  // new bytes; may be empty
  StopToken stop;
  WorkerPool* workers = nullptr;  // null: all on the calling thread; the delta is the same
};

struct MadeArtifact {
  ArtifactHead head;  // stands before the blocks: see format_head()
  EncodeStatistics statistics;
  std::vector<FileCost> files;  // by new file; those that are not made cost nothing
};

// Errors: cancelled, those of read_old, read_new and write.
Result<MadeArtifact> make_artifact(const ChunkedTree& old_tree, const ChunkedTree& new_tree,
                                   const MakeOptions& options);

}  // namespace shoal::delta
