// A delta between two trees whose bytes can be read at will: encoded within a memory limit, then
// decoded again and compared. Private to `publish`.
#pragma once

#include "delta/apply_artifact.hpp"
#include "delta/make_artifact.hpp"
#include "publish/tree_content.hpp"

namespace shoal::publish {

struct DeltaSide {
  const content::Component& component;
  const content::Recipes& recipes;
  OpenFiles& files;
};

struct DeltaBuildOptions {
  std::uint64_t memory_bytes = delta::kDefaultMemoryBytes;
  // Holds the blocks while they are made; in a file without a name, so that nothing is left behind.
  std::filesystem::path scratch_folder;
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;  // may be empty
  StopToken stop{};
};

struct BuiltDelta {
  delta::MadeArtifact made;
  Bytes head;
  UniqueFd blocks;
  std::uint64_t block_bytes = 0;

  std::uint64_t size() const { return head.size() + block_bytes; }
};

// Errors: cancelled, disk_full, io_error, internal (what it decodes to is not the new tree).
Result<BuiltDelta> build_delta(const DeltaSide& old_side, const DeltaSide& new_side,
                               const DeltaBuildOptions& options, WorkerPool& pool);

// Decodes the blocks that `next` gives, and compares every byte that they make with the new tree.
// Errors: internal (they differ), cancelled, and those of decode() and of reading.
Result<void> compare_applied(const delta::ArtifactHead& head, const delta::ReadNext& next,
                             const DeltaSide& old_side, const DeltaSide& new_side,
                             const StopToken& stop, WorkerPool& pool);

// Appends the artifact, head and blocks, at the offset of a file.
Result<void> write_artifact(const BuiltDelta& delta, int fd, std::uint64_t offset,
                            const std::string& name);

}  // namespace shoal::publish
