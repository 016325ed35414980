// Private to install: keeping what is the user's.
#pragma once

#include <string>
#include <vector>

#include "base/beneath_dir.hpp"

namespace shoal::install {

// Renames whatever stands at `path` (relative to `folder`) to <saved>/<path>, or to a free name
// near it. Nothing there: nothing to do.
Result<void> move_aside(const BeneathDir& library, const RelativePath& folder,
                        const RelativePath& path, const RelativePath& saved);

// Everything beneath the folder that is no folder, and the empty folders; relative to the library.
// At most `limit` of them. Absent: none.
Result<std::vector<std::string>> list_tree(const BeneathDir& library, const RelativePath& folder,
                                           std::size_t limit);

}  // namespace shoal::install
