// Which files are matched with which, and that a small limit loses little.
#include "delta/match_groups.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "round_trip.hpp"
#include "samples.hpp"

namespace shoal::delta {
namespace {

using namespace test;

std::vector<Unit> whole_files(const Files& files) {
  std::vector<Unit> units;
  for (std::size_t i = 0; i < files.size(); ++i) units.push_back({i, 0, files[i].size()});
  return units;
}

TEST(EqualFiles, AreFoundWhereverTheyAre) {
  Random random(1);
  const Files old_files = {random_bytes(random, 9000), {}, random_bytes(random, 20)};
  Bytes other = old_files[0];
  other[5000] ^= 1;  // beyond the ends that are compared first
  const Files new_files = {old_files[2], other, old_files[0], {}};
  const auto equal = equal_files(views(old_files), views(new_files));
  EXPECT_EQ(equal[0], 2U);
  EXPECT_EQ(equal[1], std::nullopt);
  EXPECT_EQ(equal[2], 0U);
  EXPECT_EQ(equal[3], std::nullopt) << "an empty file is made of nothing";
}

TEST(MatchGroups, WhatFitsIsOneGroup) {
  Random random(2);
  const Files files = {random_bytes(random, 5000), random_bytes(random, 5000)};
  const auto units = whole_files(files);
  const auto groups = group_units(views(files), units, views(files), units, 1 << 20);
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0].old_units.size(), 2U);
}

TEST(MatchGroups, UnderALimitEachFileComesWithWhatItResembles) {
  Random random(3);
  Files old_files, new_files;
  for (int i = 0; i < 8; ++i) old_files.push_back(random_bytes(random, 100000));
  for (int i = 7; i >= 0; --i) new_files.push_back(edited(random, old_files[i], 3));
  new_files.push_back(random_bytes(random, 50));
  const std::uint64_t limit = 500000;
  const auto groups = group_units(views(old_files), whole_files(old_files), views(new_files),
                                  whole_files(new_files), limit);
  EXPECT_GT(groups.size(), 3U);
  std::size_t next = 0;
  for (const auto& group : groups) {
    std::uint64_t old_bytes = 0, new_bytes = 0;
    for (const auto& unit : group.old_units) old_bytes += unit.size;
    for (const auto& unit : group.new_units) {
      new_bytes += unit.size;
      EXPECT_EQ(unit.file, next++);
      if (unit.file == 8) continue;
      const bool with_its_old_file = std::ranges::any_of(
          group.old_units, [&](const Unit& old) { return old.file == 7 - unit.file; });
      EXPECT_TRUE(with_its_old_file) << unit.file;
    }
    EXPECT_LE(group_cost(old_bytes, new_bytes), limit);
  }
  EXPECT_EQ(next, new_files.size());
}

TEST(MatchGroups, AFileLargerThanTheLimitIsAGroupOfItsOwn) {
  Random random(4);
  const Files old_files = {random_bytes(random, 100000)};
  const auto units = whole_files(old_files);
  const auto groups = group_units(views(old_files), units, views(old_files), units, 1000);
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0].new_units.size(), 1U);
  EXPECT_EQ(groups[0].old_units.size(), 1U);
}

TEST(MatchGroups, ASmallLimitCostsLittleAndRoundTrips) {
  Random random(5);
  Files old_files, new_files;
  for (int i = 0; i < 10; ++i) old_files.push_back(random_bytes(random, 100000));
  for (int i = 9; i >= 0; --i) new_files.push_back(edited(random, old_files[i], 3));
  const auto plenty = make_delta(old_files, new_files);
  const auto little = make_delta(old_files, new_files, 1'000'000);
  EXPECT_LT(little.delta.size(), plenty.delta.size() * 11 / 10 + 200);
  const auto applied = apply_delta(old_files, sizes_of(new_files), little.delta);
  ASSERT_TRUE(applied);
  EXPECT_TRUE(*applied == new_files);
}

}  // namespace
}  // namespace shoal::delta
