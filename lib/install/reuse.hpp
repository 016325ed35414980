// Private to install: copying chunks from old files into staged ones.
#pragma once

#include <span>

#include "install/plan.hpp"
#include "install/tree_image.hpp"

namespace shoal::install {

struct ReusedRange {
  FileIndex file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// Copies these chunks (all of one component, sorted) that are still what their ids say; those that
// are not are left out. Returns what was written, in runs.
Result<std::vector<ReusedRange>> copy_chunks(const BeneathDir& library, const Plan& plan,
                                             std::span<const ReuseSource> sources, TreeImage& image,
                                             const StopToken& stop);

}  // namespace shoal::install
