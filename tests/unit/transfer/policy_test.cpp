// What the policies promise of each other, whatever their numbers are.
#include "transfer/policy.hpp"

#include <gtest/gtest.h>

namespace shoal::transfer {
namespace {

TEST(Policy, from_fastest_to_thrifty_the_patience_only_grows) {
  Patience before = patience_of(Policy::fastest);
  for (auto policy : {Policy::balanced, Policy::thrifty}) {
    Patience now = patience_of(policy);
    EXPECT_GE(now.missing_ms, before.missing_ms);
    EXPECT_GE(now.takeover_ms, before.takeover_ms);
    EXPECT_GE(now.stall_ms, before.stall_ms);
    EXPECT_LE(now.endgame_seconds, before.endgame_seconds);
    before = now;
  }
}

TEST(Policy, every_policy_gets_done_without_peers) {
  for (auto policy : {Policy::fastest, Policy::balanced, Policy::thrifty}) {
    EXPECT_LE(patience_of(policy).missing_ms, 60'000U);
    EXPECT_LE(patience_of(policy).stall_ms, 60'000U);
  }
}

TEST(Policy, what_waits_for_peers_waits_longer_for_another_machines_pieces_than_for_its_own) {
  for (auto policy : {Policy::fastest, Policy::balanced, Policy::thrifty})
    EXPECT_GT(patience_of(policy).takeover_ms, patience_of(policy).missing_ms);
}

TEST(Policy, thrifty_fills_no_deficit_but_keeps_deadlines) {
  EXPECT_FALSE(patience_of(Policy::thrifty).share.fills);
  EXPECT_TRUE(patience_of(Policy::thrifty).keeps_deadline);
}

}  // namespace
}  // namespace shoal::transfer
