// What a publisher's tree holds, found without reading a byte of its files and without following
// a link. Private to `publish`.
#pragma once

#include <vector>

#include "base/beneath_dir.hpp"
#include "base/error.hpp"
#include "content/manifest.hpp"

namespace shoal::publish {

struct ScannedTree {
  std::vector<content::FileEntry> files;  // sorted by path; roots and offsets still to be found
  std::vector<FileStamp> stamps;          // of each file: it must not change until it was read
  std::vector<content::SymlinkEntry> symlinks;  // sorted by path
  std::vector<RelativePath> directories;        // empty ones only, sorted by path
};

// Errors: unsupported_file_type (FIFO, device or socket, named), path_invalid (a name that breaks
// the rules of RelativePath), not_allowed (a folder that cannot be read, named), io_error.
Result<ScannedTree> scan_tree(const BeneathDir& tree);

}  // namespace shoal::publish
