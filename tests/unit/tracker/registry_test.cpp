// Swarms: who is told of whom, when peers are forgotten, and the bounds that strangers meet.
#include "tracker/registry.hpp"

#include <gtest/gtest.h>

#include <set>

namespace shoal::tracker {
namespace {

using namespace std::chrono_literals;

class RegistryTest : public ::testing::Test {
 protected:
  struct Peer {
    std::string ip;
    std::uint16_t port = 1;
    bool seed = false;
    Event event = Event::none;
    std::uint32_t wanted = 50;
    std::uint8_t torrent = 0;
    int id = -1;  // -1: one of its own
  };

  Result<AnnounceAnswer> announce(const Peer& peer) {
    Announce announce;
    announce.info_hash[0] = peer.torrent;
    auto id = peer.id < 0 ? peer.ip + ":" + std::to_string(peer.port) : std::to_string(peer.id);
    std::copy_n(id.begin(), std::min<std::size_t>(id.size(), 20), announce.peer_id.begin());
    announce.port = peer.port;
    announce.is_seed = peer.seed;
    announce.event = peer.event;
    announce.wanted = peer.wanted;
    return registry_.announce(announce, *Address::parse(peer.ip), now_);
  }
  std::set<std::string> told(const Peer& peer) {
    auto answer = announce(peer);
    std::set<std::pair<std::string, std::uint16_t>> told_of;
    std::set<std::string> texts;
    for (const auto& other : answer->peers) {
      texts.insert(other.address.text());
      EXPECT_TRUE(told_of.emplace(other.address.text(), other.port).second) << "told twice";
    }
    return texts;
  }
  Counts counts() { return registry_.counts(InfoHash{}).value_or(Counts{}); }

  RegistryLimits limits_{.max_torrents = 3,
                         .max_peers = 400,
                         .max_peers_per_torrent = 300,
                         .max_peers_per_address = 2,
                         .interval_s = 100,
                         .first_interval_s = 10};
  Registry registry_{limits_, 42};
  SteadyMs now_{1'000'000};
};

using Set = std::set<std::string>;

TEST_F(RegistryTest, TellsPeersOfEachOtherButNeverOfThemselves) {
  EXPECT_EQ(told({"10.0.0.1"}), Set{});
  EXPECT_EQ(told({"10.0.0.2"}), Set{"10.0.0.1"});
  EXPECT_EQ(told({"10.0.0.1"}), Set{"10.0.0.2"});
  EXPECT_EQ(told({"2001:db8::1"}), (Set{"10.0.0.1", "10.0.0.2"}));
}

TEST_F(RegistryTest, AnotherAddressOfTheSameClientIsItself) {
  told({.ip = "10.0.0.1", .id = 7});
  EXPECT_EQ(told({.ip = "2001:db8::1", .id = 7}), Set{});
}

TEST_F(RegistryTest, SeedsAreNotToldOfSeeds) {
  told({.ip = "10.0.0.1", .seed = true});
  told({"10.0.0.2"});
  EXPECT_EQ(told({.ip = "10.0.0.3", .seed = true}), Set{"10.0.0.2"});
  EXPECT_EQ(told({"10.0.0.4"}), (Set{"10.0.0.1", "10.0.0.2", "10.0.0.3"}));
}

TEST_F(RegistryTest, TorrentsAreApart) {
  told({"10.0.0.1"});
  EXPECT_EQ(told({.ip = "10.0.0.2", .torrent = 1}), Set{});
}

TEST_F(RegistryTest, CountsFollowTheEvents) {
  told({.ip = "10.0.0.1", .seed = true});
  told({.ip = "10.0.0.2", .event = Event::started});
  EXPECT_EQ(counts().seeds, 1u);
  EXPECT_EQ(counts().leechers, 1u);
  told({.ip = "10.0.0.2", .seed = true, .event = Event::completed});
  told({.ip = "10.0.0.2", .seed = true, .event = Event::completed});  // said twice, counted once
  EXPECT_EQ(counts().seeds, 2u);
  EXPECT_EQ(counts().leechers, 0u);
  EXPECT_EQ(counts().completed, 1u);
  EXPECT_EQ(told({.ip = "10.0.0.2", .event = Event::stopped}), Set{});
  told({.ip = "10.0.0.9", .event = Event::stopped});  // of an unknown peer: nothing
  EXPECT_EQ(counts().seeds, 1u);
}

TEST_F(RegistryTest, ASwarmFormsFastAndThenSettles) {
  EXPECT_EQ(announce({"10.0.0.1"})->interval_s, 10u);
  EXPECT_EQ(announce({"10.0.0.1"})->interval_s, 100u);
  EXPECT_EQ(announce({"10.0.0.1"})->min_interval_s, 10u);
}

TEST_F(RegistryTest, ForgetsPeersAfterTwoIntervals) {
  told({"10.0.0.1"});
  now_ += 150s;
  told({"10.0.0.2"});
  now_ += 51s;
  registry_.expire(now_);
  EXPECT_EQ(told({"10.0.0.3"}), Set{"10.0.0.2"});
  now_ += 201s;
  registry_.expire(now_);
  EXPECT_EQ(registry_.torrents(), 0u);
  EXPECT_EQ(registry_.totals().leechers, 0u);
}

TEST_F(RegistryTest, RemovalInAnyOrderKeepsTheIndexRight) {
  for (int i = 1; i <= 50; ++i) told({"10.0.0." + std::to_string(i)});
  for (int i = 1; i <= 50; i += 2)
    told({.ip = "10.0.0." + std::to_string(i), .event = Event::stopped});
  auto rest = told({.ip = "10.1.0.1", .wanted = 200});
  EXPECT_EQ(rest.size(), 25u);
  EXPECT_TRUE(rest.contains("10.0.0.2"));
  EXPECT_FALSE(rest.contains("10.0.0.1"));
}

TEST_F(RegistryTest, TellsAtMostAsManyAsWantedNearOnesALittlePreferred) {
  for (int i = 1; i <= 20; ++i) told({"10.0.0." + std::to_string(i)});
  for (int i = 1; i <= 200; ++i) told({"10.9." + std::to_string(i) + ".1"});
  EXPECT_EQ(told({.ip = "10.0.0.77", .wanted = 0}).size(), 0u);
  EXPECT_EQ(told({.ip = "10.0.0.77", .wanted = 1}).size(), 1u);
  auto chosen = told({.ip = "10.0.0.77", .wanted = 40});
  EXPECT_EQ(chosen.size(), 40u);
  auto near = std::count_if(chosen.begin(), chosen.end(),
                            [](const auto& text) { return text.starts_with("10.0.0."); });
  EXPECT_GE(near, 10);
  EXPECT_LT(near, 20);
}

TEST_F(RegistryTest, EveryPeerIsToldOfSometimes) {
  for (int i = 1; i <= 100; ++i) told({"10.9." + std::to_string(i) + ".1"});
  Set seen;
  for (int round = 0; round < 200; ++round) seen.merge(told({.ip = "10.0.0.1", .wanted = 10}));
  EXPECT_EQ(seen.size(), 100u);
}

TEST_F(RegistryTest, IsBoundedInEveryDirection) {
  for (std::uint16_t port = 1; port <= 5; ++port) told({.ip = "10.0.0.1", .port = port});
  EXPECT_EQ(counts().leechers, 2u) << "per address";
  for (int i = 0; i < 400; ++i)
    told({"10.1." + std::to_string(i / 200) + "." + std::to_string(i % 200)});
  EXPECT_EQ(counts().leechers, 300u) << "per torrent";
  for (int i = 0; i < 200; ++i) told({.ip = "10.2.0." + std::to_string(i), .torrent = 1});
  EXPECT_EQ(registry_.totals().leechers, 400u) << "of all torrents";
  told({.ip = "10.1.0.0", .event = Event::stopped});
  told({.ip = "10.3.0.1", .torrent = 1});
  EXPECT_EQ(registry_.totals().leechers, 400u) << "who leaves makes room";
}

TEST_F(RegistryTest, RefusesTorrentsBeyondTheLimitAndServesTheOthers) {
  for (std::uint8_t torrent = 0; torrent < 3; ++torrent)
    EXPECT_TRUE(announce({.ip = "10.0.0.1", .torrent = torrent}));
  EXPECT_EQ(announce({.ip = "10.0.0.1", .torrent = 3}).error().kind, ErrorKind::source_unavailable);
  EXPECT_TRUE(announce({.ip = "10.0.0.2", .torrent = 2}));
}

TEST_F(RegistryTest, APeerThatCannotBeReachedIsAnsweredButNotTold) {
  told({"10.0.0.1"});
  EXPECT_EQ(told({.ip = "10.0.0.2", .port = 0}), Set{"10.0.0.1"});
  EXPECT_EQ(told({"10.0.0.3"}), Set{"10.0.0.1"});
}

TEST_F(RegistryTest, KeepsOnlyWhatIsStillWanted) {
  told({"10.0.0.1"});
  told({.ip = "10.0.0.1", .torrent = 1});
  registry_.keep_only([](const InfoHash& hash) { return hash[0] == 1; });
  EXPECT_EQ(registry_.torrents(), 1u);
  EXPECT_EQ(told({"10.0.0.2"}), Set{});
}

}  // namespace
}  // namespace shoal::tracker
