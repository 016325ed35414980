// Positions are found by bisection; empty files have no position.
#include "delta/old_space.hpp"

#include <algorithm>

namespace shoal::delta {

OldSpace::OldSpace(std::vector<const ByteSource*> files) : files_(std::move(files)) { place(0); }

OldSpace::OldSpace(const OldSpace& base, std::vector<const ByteSource*> more)
    : base_(&base), base_count_(base.file_count()), files_(std::move(more)) {
  place(base.size());
}

void OldSpace::place(std::uint64_t start) {
  for (const auto* file : files_) {
    starts_.push_back(start);
    start += file->size();
  }
  starts_.push_back(start);
}

std::size_t OldSpace::file_at(std::uint64_t position) const {
  if (position < starts_.front()) return base_->file_at(position);
  const auto after = std::ranges::upper_bound(starts_, position);
  return base_count_ + static_cast<std::size_t>(after - starts_.begin()) - 1;
}

}  // namespace shoal::delta
