// Positions are found by bisection; empty files have no position.
#include "delta/old_space.hpp"

#include <algorithm>

namespace shoal::delta {

OldSpace::OldSpace(std::vector<const ByteSource*> files) : files_(std::move(files)) {
  std::uint64_t start = 0;
  for (const auto* file : files_) {
    starts_.push_back(start);
    start += file->size();
  }
  starts_.push_back(start);
}

std::size_t OldSpace::file_at(std::uint64_t position) const {
  const auto after = std::ranges::upper_bound(starts_, position);
  return static_cast<std::size_t>(after - starts_.begin()) - 1;
}

}  // namespace shoal::delta
