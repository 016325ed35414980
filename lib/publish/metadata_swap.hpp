// Metadata files that must take effect together, although clients read them one by one: the folder
// that holds them is replaced as one step.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "publish/layout.hpp"

namespace shoal::publish {

struct MetadataFile {
  std::string name;  // in the folder of metadata
  Bytes bytes;
};

using WriteFile = std::function<Result<void>(const std::filesystem::path&, ByteView)>;
// Asked before each change of the disk; an error ends the work there, as a kill would.
using BeforeChange = std::function<Result<void>()>;

// Stages a copy of the folder (hard links) with the new files in it, and lets the two change
// places. Whenever the machine stops, the folder in force is the old one or the new one. Errors:
// not_allowed where the file system cannot do that, before anything in force has changed; those of
// files.
Result<void> swap_metadata(const Layout& layout, const std::vector<MetadataFile>& files,
                           const WriteFile& write, const BeforeChange& before_change);

// What a publisher that was killed in the middle left behind.
Result<void> remove_staged_metadata(const Layout& layout);

}  // namespace shoal::publish
