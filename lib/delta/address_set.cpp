// Ranges sorted and merged, so that of many one has to be looked at.
#include "delta/address_set.hpp"

#include <algorithm>

namespace shoal::delta {

AddressSet::AddressSet(const std::vector<AddressRange>& ranges) {
  std::vector<Range> sorted;
  for (const auto& [address, offset, size] : ranges) {
    if (size == 0) continue;
    const std::uint64_t last = address + (size - 1);
    if (last >= address) {
      sorted.push_back({address, size - 1});
    } else {
      sorted.push_back({address, UINT64_MAX - address});
      sorted.push_back({0, last});
    }
  }
  std::ranges::sort(sorted, {}, &Range::first);
  for (const auto& range : sorted) {
    const std::uint64_t behind = ranges_.empty() ? 0 : range.first - ranges_.back().first;
    const bool joins =
        !ranges_.empty() && (behind <= ranges_.back().more || behind - 1 == ranges_.back().more);
    if (joins)
      ranges_.back().more = std::max(ranges_.back().more, behind + range.more);
    else
      ranges_.push_back(range);
  }
}

bool AddressSet::is_among_many(std::uint64_t address) const {
  const auto behind = std::ranges::upper_bound(ranges_, address, {}, &Range::first);
  return behind != ranges_.begin() && address - (behind - 1)->first <= (behind - 1)->more;
}

}  // namespace shoal::delta
