// What reaches the network under each consent.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "swarm_fakes.hpp"
#include "tiny_tracker.hpp"

namespace shoal {
namespace {

using test::kBlock;
using test::MemoryStore;
using transfer::Consent;

constexpr std::uint32_t kPieceSize = 4 * kBlock;

// Whether any open IPv4 socket of this network namespace has the address as its own. TCP sockets
// that are only waiting for the other side's last word do not count.
bool has_socket(const std::string& address) {
  constexpr const char* kEstablished = "01";
  constexpr const char* kListening = "0A";
  constexpr const char* kUdp = "07";
  char hex[9];
  std::snprintf(hex, sizeof hex, "%08X", inet_addr(address.c_str()));
  for (const char* table : {"/proc/net/tcp", "/proc/net/udp"}) {
    std::ifstream file(table);
    std::string line;
    while (std::getline(file, line)) {
      std::istringstream words(line);
      std::string slot, local, remote, state;
      words >> slot >> local >> remote >> state;
      if (local.starts_with(hex) && (state == kEstablished || state == kListening || state == kUdp))
        return true;
    }
  }
  return false;
}

class ConsentTest : public testing::Test {
 protected:
  test::Node& node(int number, Consent consent) {
    auto options = test::node_options(number);
    options.consent = consent;
    nodes_.push_back(test::make_node(options, number, main_, log_));
    return *nodes_.back();
  }
  void add(test::Node& at, bool complete) {
    at.store = complete ? std::make_shared<MemoryStore>(torrent_.image)
                        : std::make_shared<MemoryStore>(torrent_.image.size());
    auto artifact = test::describe(torrent_, at.store, complete);
    artifact.trackers = {tracker_.url()};
    ASSERT_TRUE(at.swarm->add(torrent_.id, std::move(artifact), at.events));
  }
  void deliver(test::Node& to, std::uint32_t piece) {
    const auto bytes =
        ByteView(torrent_.image).subspan(std::size_t{piece} * kPieceSize, kPieceSize);
    to.swarm->deliver(torrent_.id, PieceIndex(piece), Bytes(bytes.begin(), bytes.end()));
  }
  bool completes(const test::Node& at) {
    return main_.run_until([&] { return at.events.done() == torrent_.pieces(); });
  }

  test::ManualExecutor main_;
  Log log_{LogLevel::warning};
  test::TestTorrent torrent_ = test::make_test_torrent(8 * kPieceSize, kPieceSize);
  test::TinyTracker tracker_{test::node_address(1)};
  std::vector<std::unique_ptr<test::Node>> nodes_;
};

TEST_F(ConsentTest, WithoutConsentNothingTouchesTheNetworkAndDeliveredPiecesAreStillStored) {
  auto& seed = node(2, Consent::granted);
  add(seed, true);
  auto& silent = node(3, Consent::denied);
  tracker_.set_peers({seed.address}, test::kNodePort);
  ASSERT_TRUE(main_.run_until([&] { return tracker_.was_asked("event=started"); }));
  const auto before = tracker_.requests().size();
  add(silent, false);
  ASSERT_TRUE(silent.swarm->connect_peer(torrent_.id, seed.address, test::kNodePort));
  for (std::uint32_t piece = 0; piece < torrent_.pieces() / 2; ++piece) deliver(silent, piece);
  ASSERT_TRUE(
      main_.run_until([&] { return silent.events.delivered.size() == torrent_.pieces() / 2; }));
  EXPECT_EQ(tracker_.requests().size(), before);
  EXPECT_FALSE(has_socket(silent.address));
  EXPECT_TRUE(has_socket(seed.address));
  EXPECT_EQ(seed.events.peers_seen, 0);

  silent.swarm->set_consent(Consent::granted);
  ASSERT_TRUE(completes(silent));
  EXPECT_EQ(silent.events.from_peers.size(), torrent_.pieces() / 2);
  EXPECT_EQ(silent.store->bytes(), torrent_.image);
}

TEST_F(ConsentTest, WithdrawnConsentClosesEverySocket) {
  auto& seed = node(2, Consent::granted);
  add(seed, true);
  auto& leech = node(3, Consent::granted);
  leech.swarm->set_limits({.upload_bytes_per_s = 0, .download_bytes_per_s = 64 * 1024});
  tracker_.set_peers({seed.address}, test::kNodePort);
  add(leech, false);
  ASSERT_TRUE(main_.run_until([&] { return seed.events.view.peers.size() == 1; }));
  ASSERT_TRUE(has_socket(leech.address));
  leech.swarm->set_consent(Consent::denied);
  EXPECT_TRUE(main_.run_until([&] { return !has_socket(leech.address); }));
  EXPECT_TRUE(main_.run_until([&] { return seed.events.view.peers.empty(); }));
  const auto stored = leech.events.done();
  EXPECT_LT(stored, torrent_.pieces());
  for (std::uint32_t piece = 0; piece < torrent_.pieces(); ++piece) deliver(leech, piece);
  ASSERT_TRUE(completes(leech));
  EXPECT_EQ(leech.store->bytes(), torrent_.image);
}

TEST_F(ConsentTest, OnTheLanLocalPeersAndTrackersServe) {
  auto& seed = node(2, Consent::lan);
  add(seed, true);
  auto& leech = node(3, Consent::lan);
  tracker_.set_peers({seed.address}, test::kNodePort);
  add(leech, false);
  ASSERT_TRUE(completes(leech));
  EXPECT_EQ(leech.store->bytes(), torrent_.image);
}

TEST_F(ConsentTest, TheTrackerIsToldGoodByeAndCannotHoldUpTheShutdown) {
  auto& seed = node(2, Consent::granted);
  add(seed, true);
  auto& leech = node(3, Consent::granted);
  tracker_.set_peers({seed.address}, test::kNodePort);
  add(leech, false);
  // A tracker whose answer has not been read is told no good-bye. A peer from the answer shows that
  // this one's has; the seed, which looks for nobody, knows the leech only through that.
  ASSERT_TRUE(main_.run_until([&] { return leech.events.done() > 0; }));
  tracker_.go_silent();
  const auto asked = tracker_.requests().size();
  leech.swarm.reset();
  EXPECT_TRUE(main_.run_until([&] {
    const auto requests = tracker_.requests();
    return std::any_of(
        requests.begin() + static_cast<std::ptrdiff_t>(asked), requests.end(),
        [](const auto& each) { return std::string::npos != each.find("event=stopped"); });
  }));
}

}  // namespace
}  // namespace shoal
