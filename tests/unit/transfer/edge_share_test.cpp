// How the edge's share follows a link: small models of a downlink, sampled once a second.
#include "transfer/edge_share.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace shoal::transfer {
namespace {

constexpr double kMb = 1e6;

// A downlink that peers could fill up to `peers_could`; the edge takes what it is given first, as
// several connections to one fast server do.
struct Link {
  double capacity = 5 * kMb;
  double peers_could = 5 * kMb;
  EdgeShare share{EdgeShareTuning{}};
  std::uint64_t now_ms = 0;
  double edge_bytes = 0;
  double total_bytes = 0;

  void run(int seconds, bool edge_unlimited = false) {
    for (int i = 0; i < seconds; ++i) {
      double edge = edge_unlimited ? capacity : std::min(share.rate_bytes_per_s(), capacity);
      double peers = std::min(peers_could, capacity - edge);
      now_ms += 1000;
      share.sample(now_ms, peers, edge, edge_unlimited, true);
      edge_bytes += edge;
      total_bytes += peers + edge;
    }
  }
};

TEST(EdgeShare, a_link_that_peers_fill_is_left_to_them) {
  Link link;
  link.run(4, true);
  link.run(60);
  EXPECT_LT(link.edge_bytes, 30 * kMb);  // 20 of them before peers were there
}

TEST(EdgeShare, what_peers_leave_is_filled) {
  Link link;
  link.peers_could = 1.25 * kMb;
  link.run(4, true);
  link.run(60);
  EXPECT_GT(link.total_bytes, 0.85 * 64 * link.capacity);
  EXPECT_LE(link.edge_bytes, link.total_bytes - 55 * link.peers_could * 0.8);
}

TEST(EdgeShare, an_unknown_link_is_explored_until_it_is_full) {
  Link link;
  link.peers_could = 0.1 * kMb;
  link.run(40);
  EXPECT_GT(link.share.rate_bytes_per_s(), 3.5 * kMb);
}

TEST(EdgeShare, peers_that_become_faster_get_the_link_back) {
  Link link;
  link.peers_could = 0.5 * kMb;
  link.run(4, true);
  link.run(30);
  EXPECT_GT(link.share.rate_bytes_per_s(), 3 * kMb);
  link.peers_could = 5 * kMb;
  link.run(120);
  EXPECT_LT(link.share.rate_bytes_per_s(), 1 * kMb);
}

TEST(EdgeShare, a_link_that_became_slower_does_not_run_away_to_the_edge) {
  Link link;
  link.run(4, true);
  link.capacity = 2 * kMb;  // what peers could fill alone
  link.edge_bytes = 0;
  link.run(120);
  EXPECT_LT(link.edge_bytes, 0.2 * 120 * link.capacity);
}

TEST(EdgeShare, fills_nothing_when_it_is_told_not_to) {
  Link link;
  link.share.set_tuning({false, 0, 0, 0});
  link.peers_could = 0;
  link.run(60);
  EXPECT_EQ(link.edge_bytes, 0);
}

}  // namespace
}  // namespace shoal::transfer
