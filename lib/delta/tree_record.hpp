// What a delta that stands alone says about the new tree, by its difference from the old one; in a
// release the signed release.json says it. Format: docs/formats/delta-artifact.md.
#pragma once

#include <array>

#include "content/manifest.hpp"
#include "delta/sized_envelope.hpp"
#include "delta/tree_match.hpp"

namespace shoal::delta {

inline constexpr std::string_view kTreeRecordMagic = "SHOALTRE";
inline constexpr std::uint8_t kTreeRecordVersion = 2;
inline constexpr std::uint64_t kMaxTreeRecordBytes = 256 << 20;  // as a release.json
inline constexpr std::size_t kMaxTreeEntries = 1 << 20;          // of each kind

// Of two components only paths, sizes, roots, executable bits, links and empty folders count.
Bytes format_tree_record(const content::Component& old_tree, const content::Component& new_tree);

// The first bytes of a made file's merkle root: enough to tell which file came out wrong. The whole
// tree is pinned by its identity, in the artifact's head.
using RootStart = std::array<std::uint8_t, 8>;

struct TreeRecord {
  content::Component tree;             // paths are valid and in order; no offsets, no roots
  std::vector<Origin> origins;         // by file
  std::vector<RootStart> root_starts;  // by file; zeros unless it is made
};

// Of the old tree, nothing but its listing is looked at. The rules that span a whole tree
// (content::check_tree_paths) are the caller's to check. Errors: conflict (made for another old
// tree), metadata_invalid, too_large, path_invalid, unsupported_version, and those of `next`.
Result<TreeRecord> read_tree_record(const ReadNext& next, const content::Component& old_tree);

}  // namespace shoal::delta
