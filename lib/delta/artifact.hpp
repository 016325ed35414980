// The head of a delta artifact: which trees it leads from and to, and which blocks make which
// files. Format: docs/formats/delta-artifact.md.
#pragma once

#include "delta/sized_envelope.hpp"
#include "delta/tree_match.hpp"

namespace shoal::delta {

inline constexpr std::string_view kArtifactMagic = "SHOALDLT";
inline constexpr std::uint8_t kArtifactVersion = 5;
inline constexpr std::uint64_t kMaxHeadBytes = 16 << 20;  // packed and unpacked
inline constexpr std::size_t kMaxGroups = 1 << 16;
inline constexpr std::size_t kMaxSlices = 1 << 20;  // of all groups: 24 MiB of a reader's memory

// A file, or a stretch of one.
struct Slice {
  FileIndex file;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  // not 0

  auto operator<=>(const Slice&) const = default;
};

// What is encoded together: new slices from old ones. A tree whose changed files fit the
// publisher's memory is one group.
struct Group {
  std::vector<Slice> old_slices;
  std::vector<Slice> new_slices;
  std::uint64_t block_bytes = 0;  // the size of its blocks in the artifact
};

// The groups together make each file that match_trees() says is made, exactly once.
struct ArtifactHead {
  std::vector<Group> groups;  // in the order of their blocks

  std::uint64_t new_bytes() const;  // made by all groups
};

// All bytes of the artifact before its first block.
Bytes format_head(FileList old_files, FileList new_files, const ArtifactHead& head);

// Reads the head and checks it against the trees that it is to be applied to. Errors: conflict
// (made for other trees), metadata_invalid, unsupported_version, too_large, and those of `next`.
Result<ArtifactHead> read_head(const ReadNext& next, FileList old_files, FileList new_files);

// Of trees whose roots are not known yet: that they have these identities is the caller's to check.
struct UnboundHead {
  Digest old_tree;
  Digest new_tree;
  ArtifactHead head;
};
// `origins`: by new file. Errors: as above, but for conflict.
Result<UnboundHead> read_unbound_head(const ReadNext& next, FileList old_files, FileList new_files,
                                      std::span<const Origin> origins);

}  // namespace shoal::delta
