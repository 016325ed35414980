// Two trees of a delta, as their manifests tell: which tree it is, and which new files need no
// delta at all because their bytes are there already under some name.
#pragma once

#include <span>
#include <vector>

#include "content/manifest.hpp"

namespace shoal::delta {

// A component's files, sorted by path, with sizes and merkle roots.
using FileList = std::span<const content::FileEntry>;

// SHA-256 over paths, executable bits, sizes and merkle roots: a delta fits one tree and no other.
Digest tree_identity(FileList files);
// The same without the roots: what is known of a tree before any of its bytes was read.
Digest tree_listing(FileList files);
// conflict; `which` is "old" or "new".
Error made_for_another_tree(std::string_view which, std::string_view difference);
// Errors: that.
Result<void> check_tree_identity(FileList files, ByteView identity, std::string_view which);

// Where the bytes of a new file come from.
struct Origin {
  enum class Kind {
    empty,     // it has none
    old_file,  // the same bytes as old file `source`: the one of its own path if that has them
    new_file,  // the same bytes as the earlier new file `source`, which is made
    made,      // from the delta
  };
  Kind kind = Kind::empty;
  FileIndex source;
};

// By new file. Both sides of a delta know both lists, so that this costs nothing in it.
std::vector<Origin> match_trees(FileList old_files, FileList new_files);

}  // namespace shoal::delta
