// Positions and addresses, old to new.
#include "delta/translation.hpp"

#include <gtest/gtest.h>

namespace shoal::delta {
namespace {

TEST(PositionMap, FollowsTheCoverThatHoldsThePosition) {
  const std::vector<Cover> covers = {{100, 1100, 50}, {200, 3000, 10}};
  const PositionMap map(covers);
  EXPECT_EQ(map.new_position(100), 1100U);
  EXPECT_EQ(map.new_position(149), 1149U);
  EXPECT_EQ(map.new_position(205), 3005U);
}

TEST(PositionMap, BetweenCoversTheNearestCounts) {
  const std::vector<Cover> covers = {{100, 1100, 50}, {200, 3000, 10}};
  const PositionMap map(covers);
  EXPECT_EQ(map.new_position(151), 1151U);
  EXPECT_EQ(map.new_position(199), 2999U);
  EXPECT_EQ(map.new_position(50), 1050U);
  EXPECT_EQ(map.new_position(9000), 11800U);
}

TEST(PositionMap, WhereCoversOverlapTheLongestCounts) {
  const std::vector<Cover> covers = {{0, 0, 10000}, {500, 20000, 100}, {9990, 50000, 20}};
  const PositionMap map(covers);
  EXPECT_EQ(map.new_position(550), 550U);
  EXPECT_EQ(map.new_position(9995), 9995U);
  EXPECT_EQ(map.new_position(10005), 50015U);
}

TEST(PositionMap, WithoutCoversThereIsNoPosition) {
  EXPECT_EQ(PositionMap({}).new_position(5), std::nullopt);
}

TEST(AddressTranslation, GoesThroughBothFilesAddressMaps) {
  const AddressMap old_map({{0x400000, 0, 0x1000}}, 0x402000);
  const AddressMap new_map({{0x500000, 0, 0x2000}}, 0x503000);
  const std::vector<Cover> covers = {{0x100, 0x180, 0x800}};
  const AddressTranslation translation(old_map, new_map, covers, {});
  EXPECT_EQ(translation.translate(0x400200), 0x500280U);
}

TEST(AddressTranslation, AFixCountsForItsAddressAndForMemoryBehindIt) {
  const AddressMap map({{0x1000, 0, 0x1000}}, 0x8000);
  const std::vector<Cover> covers = {{0, 0, 0x1000}};
  const std::vector<AddressFix> fixes = {{0x1010, 0x1f00}, {0x3000, 0x3100}, {0x5000, 0x5800}};
  const AddressTranslation translation(map, map, covers, fixes);
  EXPECT_EQ(translation.translate(0x1010), 0x1f00U);
  EXPECT_EQ(translation.translate(0x1011), 0x1011U);
  EXPECT_EQ(translation.translate(0x2fff), 0x2fffU) << "memory before the first fix";
  EXPECT_EQ(translation.translate(0x3004), 0x3104U);
  EXPECT_EQ(translation.translate(0x7000), 0x7800U);
}

}  // namespace
}  // namespace shoal::delta
