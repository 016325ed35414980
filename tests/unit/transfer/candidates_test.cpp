// Which pieces come next, and in what order.
#include "transfer/candidates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace shoal::transfer {
namespace {

constexpr std::uint32_t kPieces = 64;
constexpr std::uint64_t kPieceSize = 256 << 10;  // four to a run
constexpr std::size_t kAll = 1000;

struct World {
  PieceLedger pieces{PieceSet(kPieces, true)};
  Candidates candidates{pieces, kPieceSize};
  explicit World(std::uint64_t self = 1, std::vector<std::uint64_t> others = {}) {
    candidates.set_members(self, std::move(others));
  }
  void available(const std::vector<std::uint16_t>& counts, std::uint64_t now_ms = 0) {
    pieces.set_availability(counts, now_ms);
    candidates.availability_changed();
  }
};

TEST(Candidates, ours_and_those_to_take_over_make_up_everything) {
  World world(1, {2, 3});
  auto musts = world.candidates.musts(0, 0, kAll);
  auto takeovers = world.candidates.takeovers(0, 0, kAll);
  EXPECT_EQ(musts.size() + takeovers.size(), kPieces);
  std::set<std::uint32_t> all(musts.begin(), musts.end());
  all.insert(takeovers.begin(), takeovers.end());
  EXPECT_EQ(all.size(), kPieces);
  for (auto piece : musts) EXPECT_TRUE(world.candidates.owned(piece));
}

TEST(Candidates, alone_everything_comes_in_sequence_from_a_place_of_its_own) {
  World world;
  world.candidates.set_alone(true);
  auto musts = world.candidates.musts(0, 0, kAll);
  std::vector<std::uint32_t> sequence(kPieces);
  std::iota(sequence.begin(), sequence.end(), 0U);
  std::rotate(sequence.begin(), sequence.begin() + musts.front(), sequence.end());
  EXPECT_EQ(musts, sequence);
}

TEST(Candidates, read_in_order_ours_come_in_sequence_from_the_piece_that_is_needed) {
  World world(1, {2, 3});
  auto usual = world.candidates.musts(0, 0, kAll);
  world.candidates.begin_at(33);
  auto ordered = world.candidates.musts(0, 0, kAll);
  EXPECT_TRUE(std::ranges::is_permutation(usual, ordered));  // whose they are does not change
  auto distance = [](std::uint32_t piece) { return (piece + kPieces - 32) % kPieces; };
  EXPECT_TRUE(std::ranges::is_sorted(ordered, {}, distance));
  world.candidates.set_members(1, {});
  world.candidates.set_alone(true);
  EXPECT_EQ(world.candidates.musts(0, 0, kAll).front(), 32U);  // its run
}

TEST(Candidates, a_piece_is_a_must_only_once_it_was_missed_for_long_enough) {
  World world;
  world.pieces.begin(1000);
  EXPECT_TRUE(world.candidates.musts(2000, 1500, kAll).empty());
  EXPECT_EQ(world.candidates.musts(2500, 1500, kAll).size(), kPieces);
}

TEST(Candidates, no_more_than_there_is_room_for_and_then_the_next_ones) {
  World world;
  auto first = world.candidates.musts(0, 0, 3);
  ASSERT_EQ(first.size(), 3U);
  for (auto piece : first) world.pieces.set_asked(piece, Asked::must);
  auto next = world.candidates.musts(0, 0, 3);
  ASSERT_EQ(next.size(), 3U);
  EXPECT_EQ(next[0], first[2] + 1);  // the rest of the run
}

TEST(Candidates, what_peers_have_is_offered_rarest_first) {
  World world;
  std::vector<std::uint16_t> counts(kPieces);
  for (std::uint32_t piece = 0; piece < kPieces; ++piece)
    counts[piece] = static_cast<std::uint16_t>(piece % 5);
  world.available(counts);
  auto rarest = world.candidates.rarest(0, kAll);
  EXPECT_EQ(rarest.size(), kPieces - 13);  // without those that nobody has
  for (std::size_t i = 1; i < rarest.size(); ++i)
    EXPECT_LE(counts[rarest[i - 1]], counts[rarest[i]]);
}

}  // namespace
}  // namespace shoal::transfer
