// Who may do what, from the kernel's word about the peer alone.
#include "api/permissions.hpp"

#include <gtest/gtest.h>

#include "api/user_limit.hpp"

namespace shoal::api {
namespace {

constexpr std::uint32_t kOwn = 990, kGroup = 42;

http::Peer peer(std::optional<std::uint32_t> uid, std::vector<std::uint32_t> groups) {
  http::Peer peer;
  peer.uid = uid;
  peer.groups = std::move(groups);
  return peer;
}

TEST(Permissions, EveryoneLocalMayReadAndFewMayAct) {
  Permissions rule(kOwn, kGroup);
  EXPECT_TRUE(rule.may(peer(1000, {1000}), Permission::read));
  EXPECT_FALSE(rule.may(peer(1000, {1000}), Permission::act));
  EXPECT_TRUE(rule.may(peer(0, {0}), Permission::act));
  EXPECT_TRUE(rule.may(peer(kOwn, {kOwn}), Permission::act));
  EXPECT_TRUE(rule.may(peer(1000, {1000, kGroup}), Permission::act));
}

TEST(Permissions, PeerWithoutAUserMayNothing) {
  Permissions rule(kOwn, kGroup);
  EXPECT_FALSE(rule.may(peer(std::nullopt, {kGroup}), Permission::read));
  EXPECT_FALSE(rule.may(peer(std::nullopt, {kGroup}), Permission::act));
}

TEST(Permissions, MissingGroupLetsNobodyIn) {
  Permissions rule(kOwn, find_group("no-such-group-here"));
  EXPECT_FALSE(rule.may(peer(1000, {0, kGroup, 4294967295u}), Permission::act));
  EXPECT_EQ(find_group("root"), 0u);
}

TEST(UserLimit, CountsEachUserAndForgetsWhatIsGivenBack) {
  UserLimit limit(2);
  auto a = limit.take(1), b = limit.take(1);
  EXPECT_TRUE(a && b);
  EXPECT_FALSE(limit.take(1));
  EXPECT_TRUE(limit.take(2));
  b.reset();
  EXPECT_TRUE(limit.take(1));
}

TEST(UserLimit, SlotMayOutliveTheLimit) {
  UserLimit::Slot slot;
  {
    UserLimit limit(1);
    slot = limit.take(1);
  }
  slot.reset();
}

}  // namespace
}  // namespace shoal::api
