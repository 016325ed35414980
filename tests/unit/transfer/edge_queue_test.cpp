// How much the edge is asked for, and what happens when it does not answer.
#include "transfer/edge_queue.hpp"

#include <gtest/gtest.h>

namespace shoal::transfer {
namespace {

constexpr std::uint32_t kPieces = 256;
constexpr std::uint64_t kPieceSize = 256 << 10;
constexpr std::uint64_t kMax = 32ULL << 20;

struct World {
  PieceLedger pieces{PieceSet(kPieces, true)};
  EdgeQueue edge{pieces, kPieceSize};
};

TEST(EdgeQueue, the_window_grows_as_the_edge_delivers) {
  World world;
  std::uint32_t piece = 0;
  auto first = world.edge.limit(kMax, true);
  for (int decision = 0; decision < 20; ++decision) {
    for (int i = 0; i < 8; ++i) {  // 20 MB/s
      world.edge.ask(piece, Asked::must);
      world.pieces.set_missing(piece, false);
      world.edge.piece_done(piece++);
    }
    world.edge.limit(kMax, true);
  }
  auto grown = world.edge.limit(kMax, true);
  EXPECT_GT(grown, first);
  EXPECT_LE(grown * kPieceSize, 10'500'000U);  // half a second's worth
  EXPECT_EQ(world.edge.limit(kMax, false) * kPieceSize, kMax);
}

TEST(EdgeQueue, is_down_when_everything_failed_and_allows_one_look_later) {
  World world;
  for (std::uint32_t piece = 0; piece < 4; ++piece) world.edge.ask(piece, Asked::must);
  for (std::uint32_t piece = 0; piece < 3; ++piece) world.edge.failed(piece, 5000);
  EXPECT_FALSE(world.edge.down());
  world.edge.failed(3, 5000);
  EXPECT_TRUE(world.edge.down());
  EXPECT_FALSE(world.edge.may_ask(4999));
  EXPECT_TRUE(world.edge.may_ask(5000));
  EXPECT_EQ(world.edge.limit(kMax, true), 4U);
  world.edge.ask(9, Asked::must);
  world.edge.piece_done(9);
  EXPECT_FALSE(world.edge.down());
}

TEST(EdgeQueue, its_rate_is_what_came_since_the_last_sample) {
  World world;
  world.edge.set_received(1'000'000);
  EXPECT_EQ(world.edge.sample_rate(500), 2'000'000);
  EXPECT_EQ(world.edge.sample_rate(500), 0);
  world.edge.set_received(10'000);  // added anew: it counts from nothing
  EXPECT_EQ(world.edge.sample_rate(1000), 0);
  world.edge.set_received(30'000);
  EXPECT_EQ(world.edge.sample_rate(1000), 20'000);
}

TEST(EdgeQueue, paced_pieces_in_flight_follow_the_rate) {
  World world;
  EXPECT_EQ(world.edge.paced_limit(), 2U);
  world.edge.set_received(100 * kPieceSize);
  world.edge.sample_rate(1000);
  EXPECT_EQ(world.edge.paced_limit(), 42U);
}

TEST(EdgeQueue, what_is_taken_back_is_named_once) {
  World world;
  for (std::uint32_t piece = 0; piece < 4; ++piece) world.edge.ask(piece, Asked::must);
  world.edge.take_back_newer_half([](std::uint32_t) { return true; });
  EXPECT_EQ(world.edge.give_back().size(), 2U);
  EXPECT_TRUE(world.edge.give_back().empty());
  EXPECT_EQ(world.pieces.asked_count(), 2U);
}

}  // namespace
}  // namespace shoal::transfer
