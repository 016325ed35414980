// Makes new files from old ones and a delta artifact, as it arrives.
#pragma once

#include "delta/artifact.hpp"
#include "delta/decode.hpp"

namespace shoal::delta {

struct ApplyOptions {
  ReadNext read;  // the artifact's bytes after its head
  // By old file, of exactly the size that the old tree says; those that no group names may be null.
  std::vector<const ByteSource*> old_files;
  // Bytes of a new file; as DecodeOptions::write.
  std::function<Result<void>(FileIndex file, std::uint64_t offset, ByteView bytes)> write;
  // As DecodeOptions::wants and leaves_out.
  std::function<bool(FileIndex file, std::uint64_t offset, std::uint64_t size)> wants;
  std::function<bool()> leaves_out;
  WorkerPool* workers = nullptr;
  StopToken stop;
};

// Makes the new slices of one group; `read` begins at its blocks.
Result<void> apply_group(const Group& group, const ApplyOptions& options);

// Makes the files that match_trees() says are made; copies are the caller's to make, and so is the
// check of everything against its merkle root. Memory: that of decode(), and the head's. Errors:
// those of decode() and of the functions above.
Result<void> apply_artifact(const ArtifactHead& head, const ApplyOptions& options);

}  // namespace shoal::delta
