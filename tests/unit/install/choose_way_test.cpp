// The policy of updates: what is cheapest, and what fits.
#include "install/choose_way.hpp"

#include <gtest/gtest.h>

namespace shoal::install {
namespace {

constexpr std::uint64_t kMB = 1'000'000;
constexpr std::uint64_t kMuchRoom = 1'000'000 * kMB;

WayOffer offer(Way way, std::uint64_t edge, std::uint64_t write = 0, std::uint64_t room = 0) {
  return {way, {edge, edge, write, room}};
}

WayChoice choose(const std::vector<WayOffer>& offers, std::uint64_t room = kMuchRoom) {
  return choose_ways({offers}, room).at(0);
}

TEST(ChooseWay, WhatTakesFewestBytesFromTheEdgeIsTaken) {
  auto chosen =
      choose({offer(Way::full, 90 * kMB, 90 * kMB), offer(Way::recipes, 8 * kMB, 90 * kMB),
              offer(Way::delta, 1 * kMB, 91 * kMB)});
  EXPECT_EQ(chosen.way, Way::delta);
  EXPECT_EQ(chosen.cost.edge_bytes, 1 * kMB);
  EXPECT_EQ(chosen.reason,
            "a delta: 1.0 MB from the edge; whole files would be 90.0 MB, the parts that differ "
            "would be 8.0 MB");
  EXPECT_EQ(choose({offer(Way::recipes, 3 * kMB), offer(Way::delta, 4 * kMB)}).way, Way::recipes);
}

TEST(ChooseWay, WritingCountsASixteenth) {
  auto recipes = offer(Way::recipes, 10 * kMB, 100 * kMB);
  EXPECT_EQ(choose({recipes, offer(Way::delta, 9 * kMB, 115 * kMB)}).way, Way::delta);
  EXPECT_EQ(choose({recipes, offer(Way::delta, 9 * kMB, 117 * kMB)}).way, Way::recipes);
}

TEST(ChooseWay, AtTheSamePriceLessIsFetchedAndTheSimplerWayTaken) {
  EXPECT_EQ(choose({offer(Way::delta, kMB), offer(Way::recipes, kMB), offer(Way::full, kMB)}).way,
            Way::full);
  auto recipes = offer(Way::recipes, kMB);
  recipes.cost.fetch_bytes -= 1;
  EXPECT_EQ(choose({offer(Way::full, kMB), recipes}).way, Way::recipes);
}

TEST(ChooseWay, WhereNothingIsMissingItSaysSo) {
  EXPECT_EQ(choose({offer(Way::full, 0)}).reason, "all of it is on this disk");
  EXPECT_EQ(choose({offer(Way::full, 13'460)}).reason, "whole files: 13.5 kB from the edge");
}

TEST(ChooseWay, ADeltaForWhichThereIsNoRoomIsLeft) {
  auto recipes = offer(Way::recipes, 8 * kMB, 90 * kMB, 90 * kMB);
  auto delta = offer(Way::delta, 1 * kMB, 91 * kMB, 91 * kMB);
  EXPECT_EQ(choose({recipes, delta}, 91 * kMB).way, Way::delta);
  auto chosen = choose({recipes, delta}, 91 * kMB - 1);
  EXPECT_EQ(chosen.way, Way::recipes);
  EXPECT_NE(chosen.reason.find("no room"), std::string::npos);
}

TEST(ChooseWay, OnlyAsMuchIsGivenUpAsTheRoomDemands) {
  auto component = [](std::uint64_t delta_bytes) {
    return std::vector{offer(Way::recipes, 80 * kMB, 90 * kMB, 90 * kMB),
                       offer(Way::delta, delta_bytes, 90 * kMB, 90 * kMB + delta_bytes)};
  };
  std::vector components = {component(5 * kMB), component(10 * kMB), component(1 * kMB)};
  auto chosen = choose_ways(components, 276 * kMB);  // 16 too many for all three
  EXPECT_EQ(chosen[0].way, Way::delta);
  EXPECT_EQ(chosen[1].way, Way::recipes);
  EXPECT_EQ(chosen[2].way, Way::delta);
}

TEST(ChooseWay, WhereNothingFitsTheSmallestIsChosenForTheErrorToName) {
  auto chosen = choose({offer(Way::recipes, 8, 90, 90), offer(Way::delta, 1, 91, 91)}, 10);
  EXPECT_EQ(chosen.way, Way::recipes);
  EXPECT_TRUE(choose_ways({}, 0).empty());
}

}  // namespace
}  // namespace shoal::install
