// What a delta that stands alone says about the new tree, by its difference from the old one; in a
// release the signed release.json says it. Format: docs/formats/delta-artifact.md.
#pragma once

#include "content/manifest.hpp"
#include "delta/sized_envelope.hpp"

namespace shoal::delta {

inline constexpr std::string_view kTreeRecordMagic = "SHOALTRE";
inline constexpr std::uint8_t kTreeRecordVersion = 1;
inline constexpr std::uint64_t kMaxTreeRecordBytes = 256 << 20;  // as a release.json
inline constexpr std::size_t kMaxTreeEntries = 1 << 20;          // of each kind

// Of two components only paths, sizes, roots, executable bits, links and empty folders count.
Bytes format_tree_record(const content::Component& old_tree, const content::Component& new_tree);
// The new tree: valid paths in order, without offsets. The rules that span a whole tree
// (content::check_tree_paths) are the caller's to check. Errors: conflict (made for another old
// tree), metadata_invalid, too_large, path_invalid, unsupported_version, and those of `next`.
Result<content::Component> read_tree_record(const ReadNext& next,
                                            const content::Component& old_tree);

}  // namespace shoal::delta
