// The rules of the scheduler, one by one, without network or clock.
#include "transfer/scheduler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "transfer/rendezvous.hpp"

namespace shoal::transfer {
namespace {

constexpr std::uint64_t kPieceSize = 256 * 1024;
constexpr std::uint32_t kPieces = 256;

std::vector<std::uint32_t> values(const std::vector<PieceIndex>& pieces) {
  std::vector<std::uint32_t> list;
  list.reserve(pieces.size());
  for (auto piece : pieces) list.push_back(piece.value());
  return list;
}

PieceSet all_pieces() { return PieceSet(kPieces, true); }

SchedulerOptions options_for(Policy policy, std::uint64_t node = 1) {
  SchedulerOptions options;
  options.policy = policy;
  options.piece_size = kPieceSize;
  options.node = node;
  return options;
}

// What a swarm looks like from inside: settable.
struct View : SwarmView {
  View() { availability.assign(kPieces, 0); }
  View& available(std::uint16_t count) {
    std::fill(availability.begin(), availability.end(), count);
    return *this;
  }
  View& node(std::uint64_t id, bool is_seed = false) {
    PeerView peer;
    peer.node = id;
    peer.seed = is_seed;
    peers.push_back(peer);
    return *this;
  }
  View& rate(std::uint64_t bytes_per_s) {
    download_bytes_per_s = bytes_per_s;
    return *this;
  }
};

// Completes whatever is asked for at once, until nothing more is; returns it in order.
std::vector<std::uint32_t> drain(Scheduler& scheduler, std::uint64_t now_ms) {
  std::vector<std::uint32_t> fetched;
  while (true) {
    auto decision = scheduler.decide(now_ms);
    if (decision.fetch.empty()) return fetched;
    for (auto piece : decision.fetch) {
      fetched.push_back(piece.value());
      scheduler.piece_done(piece);
    }
  }
}

TEST(Scheduler, without_consent_everything_comes_from_the_edge_in_sequence) {
  auto options = options_for(Policy::thrifty);
  options.swarm_enabled = false;
  Scheduler scheduler(options, all_pieces());
  auto fetched = drain(scheduler, 0);
  ASSERT_EQ(fetched.size(), kPieces);
  int jumps = 0;
  for (std::size_t i = 1; i < fetched.size(); ++i)
    jumps += fetched[i] == fetched[i - 1] + 1 ? 0 : 1;
  EXPECT_LE(jumps, 1);
  EXPECT_EQ(scheduler.missing(), 0U);
}

TEST(Scheduler, machines_that_start_together_start_with_different_pieces) {
  std::set<std::uint32_t> first;
  for (std::uint64_t node = 1; node <= 8; ++node) {
    Scheduler scheduler(options_for(Policy::fastest, node), all_pieces());
    first.insert(scheduler.decide(0).fetch.at(0).value());
  }
  EXPECT_GE(first.size(), 6U);
}

TEST(Scheduler, runs_of_neighbours_are_asked_for_together) {
  Scheduler scheduler(options_for(Policy::fastest), all_pieces());
  auto fetch = values(scheduler.decide(0).fetch);
  ASSERT_GE(fetch.size(), 4U);
  EXPECT_EQ(fetch[0] % 4, 0U);
  for (std::uint32_t i = 1; i < 4; ++i) EXPECT_EQ(fetch[i], fetch[0] + i);
}

TEST(Scheduler, each_piece_nobody_has_is_fetched_by_exactly_one_machine) {
  std::vector<int> copies(kPieces);
  for (std::uint64_t self = 1; self <= 6; ++self) {
    Scheduler scheduler(options_for(Policy::fastest, self), all_pieces());
    View view;
    for (std::uint64_t other = 1; other <= 6; ++other)
      if (other != self) view.node(other);
    scheduler.swarm_view(view, 0);
    for (auto piece : drain(scheduler, 0)) ++copies[piece];
  }
  EXPECT_EQ(copies, std::vector<int>(kPieces, 1));
}

TEST(Scheduler, seeds_and_foreign_clients_are_not_expected_to_fetch) {
  Scheduler scheduler(options_for(Policy::fastest), all_pieces());
  scheduler.swarm_view(View().node(2, true).node(0), 0);
  EXPECT_EQ(drain(scheduler, 0).size(), kPieces);
}

TEST(Scheduler, what_a_dead_machine_owned_moves_to_the_others) {
  Scheduler scheduler(options_for(Policy::fastest), all_pieces());
  scheduler.swarm_view(View().node(2), 0);
  auto own = drain(scheduler, 0).size();
  EXPECT_LT(own, kPieces);
  scheduler.swarm_view(View(), 1000);
  EXPECT_EQ(drain(scheduler, 1000).size(), kPieces - own);
}

TEST(Scheduler, what_peers_have_is_left_to_them) {
  Scheduler scheduler(options_for(Policy::fastest), all_pieces());
  scheduler.swarm_view(View().available(2).node(2, true).rate(5'000'000), 0);
  EXPECT_TRUE(scheduler.decide(0).fetch.empty());
  scheduler.swarm_view(View().available(2).node(2, true).rate(5'000'000), 1000);
  EXPECT_TRUE(scheduler.decide(1000).fetch.empty());
}

TEST(Scheduler, when_peers_deliver_nothing_the_edge_does) {
  for (auto policy : {Policy::fastest, Policy::balanced, Policy::thrifty}) {
    Scheduler scheduler(options_for(policy), all_pieces());
    std::size_t fetched = 0;
    for (std::uint64_t now = 0; now <= 90'000; now += 100) {
      if (now % 1000 == 0) scheduler.swarm_view(View().available(1).node(2, true), now);
      auto decision = scheduler.decide(now);
      fetched += decision.fetch.size();
      for (auto piece : decision.fetch) scheduler.piece_done(piece);
    }
    EXPECT_EQ(fetched, kPieces) << static_cast<int>(policy);
  }
}

TEST(Scheduler, thrifty_without_a_deadline_leaves_everything_to_slow_peers) {
  Scheduler scheduler(options_for(Policy::thrifty), all_pieces());
  for (std::uint64_t now = 0; now <= 60'000; now += 100) {
    if (now % 1000 == 0) scheduler.swarm_view(View().available(1).node(2, true).rate(20'000), now);
    EXPECT_TRUE(scheduler.decide(now).fetch.empty());
  }
}

TEST(Scheduler, thrifty_waits_for_peers_before_it_fetches_what_nobody_has) {
  Scheduler scheduler(options_for(Policy::thrifty), all_pieces());
  scheduler.swarm_view(View().node(2), 0);
  EXPECT_TRUE(scheduler.decide(1000).fetch.empty());
  EXPECT_FALSE(scheduler.decide(6000).fetch.empty());
}

TEST(Scheduler, thrifty_fetches_what_would_miss_the_deadline) {
  auto options = options_for(Policy::thrifty);
  options.deadline_ms = 64'000;  // 64 MiB: one MiB a second is needed
  Scheduler scheduler(options, all_pieces());
  std::uint64_t bytes = 0;
  for (std::uint64_t now = 0; now <= 10'000; now += 100) {
    if (now % 1000 == 0)
      scheduler.swarm_view(View().available(1).node(2, true).rate(512 << 10), now);
    auto decision = scheduler.decide(now);
    bytes += decision.fetch.size() * kPieceSize;
    for (auto piece : decision.fetch) scheduler.piece_done(piece);
  }
  EXPECT_GT(bytes, 4ULL << 20);
  EXPECT_LT(bytes, 9ULL << 20);
}

TEST(Scheduler, what_is_in_flight_is_bounded) {
  auto options = options_for(Policy::fastest);
  options.max_in_flight_bytes = 5 * kPieceSize;
  Scheduler scheduler(options, all_pieces());
  EXPECT_EQ(scheduler.decide(0).fetch.size(), 5U);
  EXPECT_TRUE(scheduler.decide(100).fetch.empty());
}

TEST(Scheduler, a_piece_larger_than_the_bound_is_still_fetched) {
  auto options = options_for(Policy::fastest);
  options.max_in_flight_bytes = 1;
  Scheduler scheduler(options, all_pieces());
  EXPECT_EQ(scheduler.decide(0).fetch.size(), 1U);
}

TEST(Scheduler, a_failed_piece_is_not_asked_for_before_its_time) {
  PieceSet wanted(kPieces);
  wanted.add(PieceIndex(7));
  Scheduler scheduler(options_for(Policy::fastest), wanted);
  ASSERT_EQ(scheduler.decide(0).fetch.size(), 1U);
  scheduler.edge_failed(PieceIndex(7), 5000);
  EXPECT_TRUE(scheduler.decide(4999).fetch.empty());
  EXPECT_EQ(values(scheduler.decide(5000).fetch), std::vector<std::uint32_t>{7});
}

TEST(Scheduler, one_missing_object_does_not_stop_the_others) {
  Scheduler scheduler(options_for(Policy::fastest), all_pieces());
  auto fetch = scheduler.decide(0).fetch;
  scheduler.edge_failed(fetch[0], 1'000'000);
  scheduler.piece_done(fetch[1]);
  EXPECT_FALSE(scheduler.decide(100).fetch.empty());
  EXPECT_FALSE(scheduler.decide(100).waiting_for_source);
}

TEST(Scheduler, waits_for_a_source_when_the_edge_is_down_and_no_peer_has_the_rest) {
  Scheduler scheduler(options_for(Policy::fastest), all_pieces());
  EXPECT_FALSE(scheduler.decide(0).waiting_for_source);
  Scheduler other(options_for(Policy::fastest), all_pieces());
  for (auto piece : other.decide(0).fetch) other.edge_failed(piece, 2000);
  auto down = other.decide(100);
  EXPECT_TRUE(down.waiting_for_source);
  EXPECT_TRUE(down.fetch.empty());
  auto look = other.decide(2000);  // a careful look whether it is back
  EXPECT_TRUE(look.waiting_for_source);
  ASSERT_FALSE(look.fetch.empty());
  EXPECT_LE(look.fetch.size(), 4U);
  other.piece_done(look.fetch[0]);
  auto back = other.decide(2100);
  EXPECT_FALSE(back.waiting_for_source);
  EXPECT_GT(back.fetch.size(), 4U);
}

TEST(Scheduler, does_not_wait_while_peers_have_something) {
  Scheduler scheduler(options_for(Policy::fastest), all_pieces());
  for (auto piece : scheduler.decide(0).fetch) scheduler.edge_failed(piece, 60'000);
  View view;
  view.availability[9] = 1;
  scheduler.swarm_view(view.node(2, true), 1000);
  EXPECT_FALSE(scheduler.decide(1000).waiting_for_source);
  scheduler.piece_done(PieceIndex(9));
  EXPECT_TRUE(scheduler.decide(1100).waiting_for_source);
}

TEST(Scheduler, a_piece_that_peers_delivered_first_is_given_back) {
  Scheduler scheduler(options_for(Policy::fastest), all_pieces());
  auto fetch = scheduler.decide(0).fetch;
  scheduler.piece_done(fetch[3]);
  EXPECT_EQ(scheduler.decide(100).give_back, std::vector<PieceIndex>{fetch[3]});
}

TEST(Scheduler, when_the_edge_is_down_what_peers_have_is_given_back) {
  Scheduler scheduler(options_for(Policy::fastest), all_pieces());
  auto fetch = scheduler.decide(0).fetch;
  ASSERT_EQ(fetch.size(), 8U);
  for (std::size_t i = 0; i < 6; ++i) scheduler.edge_failed(fetch[i], 9000);
  for (auto piece : scheduler.decide(1).fetch) scheduler.edge_failed(piece, 9000);
  scheduler.swarm_view(View().available(1).node(2, true).rate(1000), 1000);
  EXPECT_EQ(scheduler.decide(1000).give_back.size(), 2U);
}

TEST(Scheduler, a_lost_piece_is_fetched_again) {
  Scheduler scheduler(options_for(Policy::fastest), all_pieces());
  drain(scheduler, 0);
  scheduler.piece_lost(PieceIndex(42));
  EXPECT_EQ(scheduler.missing(), 1U);
  EXPECT_EQ(values(scheduler.decide(100).fetch), std::vector<std::uint32_t>{42});
}

TEST(Scheduler, only_wanted_pieces_are_fetched) {
  PieceSet wanted(kPieces);
  for (std::uint32_t piece = 0; piece < kPieces; piece += 3) wanted.add(PieceIndex(piece));
  Scheduler scheduler(options_for(Policy::fastest), wanted);
  auto fetched = drain(scheduler, 0);
  EXPECT_EQ(fetched.size(), wanted.count());
  for (auto piece : fetched) EXPECT_EQ(piece % 3, 0U);
}

TEST(Scheduler, consent_withdrawn_turns_everything_to_the_edge) {
  Scheduler scheduler(options_for(Policy::thrifty), all_pieces());
  scheduler.swarm_view(View().available(3).node(2).rate(1'000'000), 0);
  EXPECT_TRUE(scheduler.decide(0).fetch.empty());
  scheduler.set_swarm_enabled(false);
  EXPECT_EQ(drain(scheduler, 100).size(), kPieces);
}

TEST(Scheduler, read_in_order_the_edge_is_asked_for_what_is_needed_next_and_not_for_all) {
  auto options = options_for(Policy::fastest);
  options.piece_size = 64 * 1024;
  options.swarm_enabled = false;
  Scheduler scheduler(options, all_pieces());
  scheduler.needed_next(PieceIndex(0));
  auto fetch = scheduler.decide(0).fetch;
  ASSERT_FALSE(fetch.empty());
  EXPECT_LT(fetch.size(), kPieces);
  for (std::uint32_t i = 0; i < fetch.size(); ++i) EXPECT_EQ(fetch[i], PieceIndex(i));
  scheduler.piece_done(PieceIndex(0));
  EXPECT_TRUE(scheduler.decide(100).fetch.empty());  // in few requests
  for (auto piece : fetch) scheduler.piece_done(piece);
  scheduler.needed_next(PieceIndex(kPieces - 1));  // what is between is there already
  EXPECT_EQ(scheduler.decide(200).fetch.front().value() / 16, (kPieces - 1) / 16);
}

TEST(Scheduler, nothing_wanted_is_nothing_to_do) {
  Scheduler scheduler(options_for(Policy::fastest), PieceSet());
  scheduler.swarm_view(SwarmView(), 0);
  EXPECT_TRUE(scheduler.decide(0).fetch.empty());
  EXPECT_EQ(scheduler.missing(), 0U);
}

TEST(Rendezvous, a_member_that_leaves_moves_only_its_own_runs) {
  std::vector<std::uint64_t> others{2, 3, 4};
  std::vector<std::uint64_t> fewer{2, 3};
  for (std::uint32_t run = 0; run < 1000; ++run) {
    if (rank_of(1, others, run) == 0) {
      EXPECT_EQ(rank_of(1, fewer, run), 0U);
    }
  }
}

TEST(Rendezvous, runs_are_spread_evenly) {
  std::vector<std::uint64_t> others{2, 3, 4, 5};
  int own = 0;
  for (std::uint32_t run = 0; run < 10'000; ++run) own += rank_of(1, others, run) == 0 ? 1 : 0;
  EXPECT_NEAR(own, 2000, 200);
}

}  // namespace
}  // namespace shoal::transfer
