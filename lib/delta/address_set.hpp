// Whether an address lies in one of many ranges: asked for each place in code that may be a call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "delta/executable_layout.hpp"

namespace shoal::delta {

class AddressSet {
 public:
  AddressSet() = default;
  // Ranges may overlap, and go on at 0 behind the highest address. Offsets count for nothing.
  explicit AddressSet(const std::vector<AddressRange>& ranges);

  // Programs have a handful of ranges, whatever their size: those are all looked at, so that
  // nothing branches on the address.
  bool contains(std::uint64_t address) const {
    if (ranges_.size() > kFew) return is_among_many(address);
    bool found = false;
    for (const auto& range : ranges_) found |= address - range.first <= range.more;
    return found;
  }

  std::size_t ranges() const { return ranges_.size(); }  // neither overlapping nor touching

 private:
  static constexpr std::size_t kFew = 16;
  struct Range {
    std::uint64_t first = 0;
    std::uint64_t more = 0;  // addresses besides the first: all that there are must fit, too
  };
  bool is_among_many(std::uint64_t address) const;

  std::vector<Range> ranges_;  // by address
};

}  // namespace shoal::delta
