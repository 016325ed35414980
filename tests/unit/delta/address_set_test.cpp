// Membership in many ranges: the same answers as looking at each of them.
#include "delta/address_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "samples.hpp"

namespace shoal::delta {
namespace {

using namespace test;

TEST(AddressSet, HoldsWhatItsRangesHold) {
  Random random(12);
  for (const std::size_t count : {0U, 1U, 5U, 40U, 1000U}) {
    std::vector<AddressRange> ranges;
    std::vector<std::uint64_t> asked = {0, 1, UINT64_MAX};
    for (std::size_t i = 0; i < count; ++i) {
      // Near the highest address, so that some go on at 0; far apart or one over the other.
      const std::uint64_t address =
          std::uint64_t{0} - below(random, 1000 * count) + below(random, 50);
      const std::uint64_t size = below(random, i % 7 == 0 ? 3000 : 300);
      ranges.push_back({address, below(random, 100), size});
      for (const std::uint64_t near : {address, address + size})
        for (const std::uint64_t at : {near - 1, near, near + 1}) asked.push_back(at);
    }
    const AddressSet set(ranges);
    std::size_t held = 0;
    for (const auto address : asked) {
      const bool expected = std::ranges::any_of(
          ranges, [&](const AddressRange& range) { return address - range.address < range.size; });
      ASSERT_EQ(set.contains(address), expected) << count << " ranges, " << address;
      held += expected ? 1 : 0;
    }
    EXPECT_LE(set.ranges(), count + 1);
    EXPECT_TRUE(count < 40 || (held > asked.size() / 4 && held < asked.size())) << held;
  }
}

TEST(AddressSet, OneRangeOfRangesThatTouch) {
  EXPECT_EQ(AddressSet({{20, 0, 10}, {0, 0, 10}, {10, 0, 10}, {5, 0, 3}}).ranges(), 1U);
  EXPECT_EQ(AddressSet({{20, 0, 10}, {0, 0, 10}, {11, 0, 9}}).ranges(), 2U);
  const AddressSet all({{5, 0, UINT64_MAX}, {4, 0, 1}});
  for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{4}, UINT64_MAX})
    EXPECT_TRUE(all.contains(address));
}

}  // namespace
}  // namespace shoal::delta
