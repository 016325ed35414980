// Whole transfers between swarms of ours over loopback.
#include <gtest/gtest.h>

#include <algorithm>

#include "swarm_fakes.hpp"

namespace shoal {
namespace {

using test::kBlock;
using test::MemoryStore;
using transfer::Consent;

constexpr std::uint32_t kPieceSize = 4 * kBlock;

class Transfer : public testing::Test {
 protected:
  test::Node& node(int number) { return node(number, test::node_options(number)); }
  test::Node& node(int number, const swarm::SwarmOptions& options) {
    nodes_.push_back(test::make_node(options, number, main_, log_));
    return *nodes_.back();
  }
  // The node has all, in a store that must never be written.
  test::Node& add_seed(test::Node& at, const test::TestTorrent& torrent) {
    at.store = std::make_shared<MemoryStore>(torrent.image);
    at.store->seal();
    auto artifact = test::describe(torrent, at.store, true);
    artifact.seed_only = true;
    EXPECT_TRUE(at.swarm->add(torrent.id, std::move(artifact), at.events));
    return at;
  }
  test::Node& add_leech(test::Node& at, const test::TestTorrent& torrent) {
    at.store = std::make_shared<MemoryStore>(torrent.image.size());
    EXPECT_TRUE(at.swarm->add(torrent.id, test::describe(torrent, at.store, false), at.events));
    return at;
  }
  void connect(test::Node& from, const test::Node& to, const test::TestTorrent& torrent) {
    EXPECT_TRUE(from.swarm->connect_peer(torrent.id, to.address, test::kNodePort));
  }
  bool completes(const test::Node& at, const test::TestTorrent& torrent) {
    return main_.run_until([&] { return at.events.done() == torrent.pieces(); });
  }

  void deliver(test::Node& to, const test::TestTorrent& torrent, PieceIndex piece) {
    const auto bytes =
        ByteView(torrent.image).subspan(std::size_t{piece.value()} * kPieceSize, kPieceSize);
    to.swarm->deliver(torrent.id, piece, Bytes(bytes.begin(), bytes.end()));
  }

  test::ManualExecutor main_;
  Log log_{LogLevel::warning};
  std::vector<std::unique_ptr<test::Node>> nodes_;
};

TEST_F(Transfer, ALeechGetsTheImageFromASeedAndWritesAndHashesEachBlockOnce) {
  const auto torrent = test::make_test_torrent(64 * kPieceSize, kPieceSize);
  auto& seed = add_seed(node(2), torrent);
  auto& leech = add_leech(node(3), torrent);
  connect(leech, seed, torrent);
  ASSERT_TRUE(completes(leech, torrent));
  EXPECT_EQ(leech.store->bytes(), torrent.image);
  EXPECT_EQ(leech.events.from_peers.size(), torrent.pieces());
  EXPECT_EQ(leech.store->most_writes_of_a_block(), 1);
  EXPECT_EQ(leech.store->bytes_read(), 0);  // what came in was hashed on its way
  EXPECT_EQ(seed.store->refused_writes(), 0);
}

TEST_F(Transfer, AHybridTorrentTransfersToo) {
  const auto torrent = test::make_test_torrent(16 * kPieceSize, kPieceSize, 2, true);
  auto& seed = add_seed(node(2), torrent);
  auto& leech = add_leech(node(3), torrent);
  connect(leech, seed, torrent);
  ASSERT_TRUE(completes(leech, torrent));
  EXPECT_EQ(leech.store->bytes(), torrent.image);
}

TEST_F(Transfer, OnlyTheMissingBlocksOfPartialPiecesAreTransferred) {
  const auto torrent = test::make_test_torrent(16 * kPieceSize, kPieceSize);
  auto& seed = add_seed(node(2), torrent);
  auto& leech = node(3);
  leech.store = std::make_shared<MemoryStore>(torrent.image.size());
  auto artifact = test::describe(torrent, leech.store, false);
  std::uint64_t missing = 0;
  for (std::uint32_t piece = 0; piece < torrent.pieces(); ++piece) {
    const std::size_t at = std::size_t{piece} * kPieceSize;
    if (piece % 4 == 0) {  // whole
      leech.store->set_bytes(at, ByteView(torrent.image).subspan(at, kPieceSize));
      artifact.have.add(PieceIndex(piece));
    } else if (piece % 4 == 1) {  // all blocks but one
      leech.store->set_bytes(at, ByteView(torrent.image).subspan(at, 3 * kBlock));
      artifact.partial[PieceIndex(piece)] = {true, true, true, false};
      missing += kBlock;
    } else if (piece % 4 == 2) {  // every block, not known to be whole
      leech.store->set_bytes(at, ByteView(torrent.image).subspan(at, kPieceSize));
      artifact.partial[PieceIndex(piece)] = {true, true, true, true};
    } else {
      missing += kPieceSize;
    }
  }
  ASSERT_TRUE(leech.swarm->add(torrent.id, std::move(artifact), leech.events));
  connect(leech, seed, torrent);
  ASSERT_TRUE(main_.run_until([&] { return leech.events.done() == torrent.pieces() * 3 / 4; }));
  EXPECT_EQ(leech.store->bytes(), torrent.image);
  EXPECT_EQ(leech.store->bytes_written(), missing);
  EXPECT_EQ(seed.store->bytes_read(), missing);
}

TEST_F(Transfer, DeliveredPiecesAreWrittenOnceAndOfferedToPeers) {
  const auto torrent = test::make_test_torrent(16 * kPieceSize, kPieceSize);
  auto& first = add_leech(node(2), torrent);
  auto& second = add_leech(node(3), torrent);
  connect(second, first, torrent);
  for (std::uint32_t piece = 0; piece < torrent.pieces(); ++piece)
    deliver(first, torrent, PieceIndex(piece));
  ASSERT_TRUE(completes(first, torrent));
  ASSERT_TRUE(completes(second, torrent));
  EXPECT_EQ(first.events.delivered.size(), torrent.pieces());
  EXPECT_EQ(second.events.from_peers.size(), torrent.pieces());
  EXPECT_EQ(second.store->bytes(), torrent.image);
  EXPECT_EQ(first.store->most_writes_of_a_block(), 1);
}

TEST_F(Transfer, DeliveryCompletesWhatACorruptPeerSpoils) {
  const auto torrent = test::make_test_torrent(64 * kPieceSize, kPieceSize);
  auto& liar = add_seed(node(2), torrent);
  for (std::uint32_t piece = 0; piece < torrent.pieces(); ++piece)
    liar.store->flip_byte(std::size_t{piece} * kPieceSize + 5);
  auto& leech = add_leech(node(3), torrent);
  connect(leech, liar, torrent);
  ASSERT_TRUE(main_.run_until([&] { return liar.store->bytes_read() > 0; }));
  // Some pieces are delivered while what the liar sent of them is checked, and fails.
  for (std::uint32_t piece = 0; piece < torrent.pieces(); ++piece)
    deliver(leech, torrent, PieceIndex(piece));
  ASSERT_TRUE(completes(leech, torrent));
  EXPECT_EQ(leech.store->bytes(), torrent.image);
  EXPECT_TRUE(leech.events.failed_deliveries.empty());
}

TEST_F(Transfer, ADeliveredPieceThatIsWrongIsReportedAndNotKept) {
  const auto torrent = test::make_test_torrent(2 * kPieceSize, kPieceSize);
  auto& leech = add_leech(node(2), torrent);
  leech.swarm->deliver(torrent.id, PieceIndex(0), Bytes(kPieceSize, 7));
  ASSERT_TRUE(main_.run_until([&] { return leech.events.failed_deliveries.size() == 1; }));
  leech.swarm->deliver(torrent.id, PieceIndex(1), Bytes(kPieceSize - 1, 7));
  ASSERT_TRUE(main_.run_until([&] { return leech.events.failed_deliveries.size() == 2; }));
  EXPECT_EQ(leech.events.done(), 0);
  deliver(leech, torrent, PieceIndex(0));
  deliver(leech, torrent, PieceIndex(1));
  ASSERT_TRUE(completes(leech, torrent));
  EXPECT_TRUE(leech.events.failed.empty());
}

TEST_F(Transfer, ReservedPiecesStillComeFromPeersInTheEnd) {
  const auto torrent = test::make_test_torrent(16 * kPieceSize, kPieceSize);
  auto& seed = add_seed(node(2), torrent);
  auto& leech = add_leech(node(3), torrent);
  std::vector<PieceIndex> all;
  for (std::uint32_t piece = 0; piece < torrent.pieces(); ++piece) all.push_back(PieceIndex(piece));
  leech.swarm->set_reserved(torrent.id, all);
  connect(leech, seed, torrent);
  ASSERT_TRUE(completes(leech, torrent));
  EXPECT_EQ(leech.store->bytes(), torrent.image);
}

TEST_F(Transfer, AnIncompleteInstalledTreeOffersWhatItHasAndIsNeverWritten) {
  const auto torrent = test::make_test_torrent(16 * kPieceSize, kPieceSize);
  auto& whole = add_seed(node(2), torrent);
  auto& part = node(3);
  part.store = std::make_shared<MemoryStore>(torrent.image);
  part.store->seal();
  auto artifact = test::describe(torrent, part.store, true);
  artifact.seed_only = true;
  artifact.have.remove(PieceIndex(3));
  ASSERT_TRUE(part.swarm->add(torrent.id, std::move(artifact), part.events));
  connect(part, whole, torrent);
  auto& leech = add_leech(node(4), torrent);
  connect(leech, part, torrent);
  ASSERT_TRUE(main_.run_until([&] { return leech.events.done() == torrent.pieces() - 1; }));
  part.swarm->deliver(torrent.id, PieceIndex(3), Bytes(kPieceSize));
  connect(leech, whole, torrent);
  ASSERT_TRUE(completes(leech, torrent));
  EXPECT_EQ(leech.store->bytes(), torrent.image);
  EXPECT_EQ(part.store->refused_writes(), 0);
  EXPECT_EQ(part.events.done(), 0);
}

TEST_F(Transfer, AFileThatChangedIsWithdrawnAndThePeersStay) {
  const auto torrent = test::make_test_torrent(16 * kPieceSize, kPieceSize);
  constexpr std::size_t kLeft = 13;
  auto options = test::node_options(2);
  options.limits.upload_bytes_per_s = 256 * 1024;  // some seconds: long enough for views
  auto& seed = add_seed(node(2, options), torrent);
  seed.store->lose(kPieceSize, 4, 6);
  auto& leech = add_leech(node(3), torrent);
  connect(leech, seed, torrent);
  bool parted = false;
  ASSERT_TRUE(main_.run_until([&] {
    parted = parted || (leech.events.done() < kLeft && leech.events.left_alone > 0);
    return leech.events.done() == kLeft && seed.events.lost.size() == 3;
  }));
  EXPECT_FALSE(parted);
  std::ranges::sort(seed.events.lost);
  EXPECT_EQ(seed.events.lost, (std::vector{PieceIndex(4), PieceIndex(5), PieceIndex(6)}));
  EXPECT_EQ(seed.events.loss_errors.front().kind, ErrorKind::verification_failed);
  EXPECT_TRUE(seed.events.store_errors.empty());

  // One that comes later learns at once what is no longer there.
  auto& late = add_leech(node(4), torrent);
  connect(late, seed, torrent);
  bool told = false;
  ASSERT_TRUE(main_.run_until([&] {
    const auto& view = late.events.view;
    const bool connected =
        std::ranges::any_of(view.peers, [](const auto& peer) { return peer.node == 1002; });
    told = told || (connected && view.availability[3] > 0 && view.availability[4] == 0 &&
                    view.availability[5] == 0 && view.availability[6] == 0);
    return told;
  }));

  auto& whole = add_seed(node(5), torrent);
  connect(leech, whole, torrent);
  connect(late, whole, torrent);
  ASSERT_TRUE(completes(leech, torrent));
  ASSERT_TRUE(completes(late, torrent));
  EXPECT_EQ(leech.store->bytes(), torrent.image);
}

TEST_F(Transfer, AStoreThatCannotBeCheckedStopsItsArtifactAndNoOther) {
  const auto bad = test::make_test_torrent(8 * kPieceSize, kPieceSize, 1);
  const auto good = test::make_test_torrent(8 * kPieceSize, kPieceSize, 2);
  auto& leech = node(2);
  leech.store = std::make_shared<MemoryStore>(bad.image.size());
  leech.store->fail_reads();
  auto artifact = test::describe(bad, leech.store, false);
  artifact.partial[PieceIndex(0)] = {true, true, true, true};  // read when it is checked
  ASSERT_TRUE(leech.swarm->add(bad.id, std::move(artifact), leech.events));
  const auto good_store = std::make_shared<MemoryStore>(good.image);
  test::RecordedEvents good_events;
  ASSERT_TRUE(leech.swarm->add(good.id, test::describe(good, good_store, true), good_events));
  ASSERT_TRUE(main_.run_until([&] { return !leech.events.store_errors.empty(); }));
  EXPECT_EQ(leech.events.store_errors.front().kind, ErrorKind::verification_failed);

  auto& other = add_leech(node(3), good);
  connect(other, leech, good);
  ASSERT_TRUE(completes(other, good));
  EXPECT_EQ(leech.events.store_errors.size(), 1);
  EXPECT_TRUE(good_events.store_errors.empty());
  // Anew, with a store that works:
  auto& seed = add_seed(node(4), bad);
  add_leech(leech, bad);
  connect(leech, seed, bad);
  EXPECT_TRUE(completes(leech, bad));
}

TEST_F(Transfer, AStoreThatCannotBeWrittenIsReported) {
  const auto torrent = test::make_test_torrent(8 * kPieceSize, kPieceSize);
  auto& seed = add_seed(node(2), torrent);
  auto& leech = add_leech(node(3), torrent);
  leech.store->fail_writes();
  connect(leech, seed, torrent);
  ASSERT_TRUE(main_.run_until([&] { return !leech.events.store_errors.empty(); }));
  EXPECT_EQ(leech.events.store_errors.front().kind, ErrorKind::disk_full);
}

TEST_F(Transfer, AShortWriteQueueOnlySlowsPeersDown) {
  const auto torrent = test::make_test_torrent(64 * kPieceSize, kPieceSize);
  auto& seed = add_seed(node(2), torrent);
  auto options = test::node_options(3);
  options.write_queue_bytes = 2 * kBlock;
  auto& leech = add_leech(node(3, options), torrent);
  connect(leech, seed, torrent);
  ASSERT_TRUE(completes(leech, torrent));
  EXPECT_EQ(leech.store->bytes(), torrent.image);
}

TEST_F(Transfer, TheUploadLimitHoldsBetweenLocalPeers) {
  const auto torrent = test::make_test_torrent(16 * kPieceSize, kPieceSize);  // 1 MiB
  auto options = test::node_options(2);
  options.limits.upload_bytes_per_s = 512 * 1024;
  auto& seed = add_seed(node(2, options), torrent);
  auto& leech = add_leech(node(3), torrent);
  const auto start = std::chrono::steady_clock::now();
  connect(leech, seed, torrent);
  ASSERT_TRUE(completes(leech, torrent));
  // Unlimited it takes some milliseconds; a slow machine only makes it longer.
  EXPECT_GT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(1200));
}

TEST_F(Transfer, ViewsTellNodesAvailabilityAndLocalBytes) {
  const auto torrent = test::make_test_torrent(16 * kPieceSize, kPieceSize);
  auto options = test::node_options(2);
  options.limits.upload_bytes_per_s = 256 * 1024;  // long enough to be seen
  auto& seed = add_seed(node(2, options), torrent);
  auto& leech = add_leech(node(3), torrent);
  connect(leech, seed, torrent);
  ASSERT_TRUE(main_.run_until(
      [&] { return !leech.events.view.peers.empty() && leech.events.view.peers[0].node != 0; }));
  const auto view = leech.events.view;
  EXPECT_EQ(view.self_node, 1003);
  EXPECT_EQ(view.peers[0].node, 1002);
  EXPECT_TRUE(view.peers[0].local);
  EXPECT_TRUE(view.peers[0].seed);
  EXPECT_EQ(view.availability, std::vector<std::uint16_t>(torrent.pieces(), 1));
  ASSERT_TRUE(completes(leech, torrent));
  // Seeds part when both are complete: each then tells that nobody is there.
  ASSERT_TRUE(main_.run_until(
      [&] { return leech.events.view.peers.empty() && seed.events.view.peers.empty(); }));
  EXPECT_EQ(leech.events.view.downloaded_bytes, torrent.image.size());
  EXPECT_EQ(leech.events.view.downloaded_lan_bytes, torrent.image.size());
  EXPECT_EQ(seed.events.view.uploaded_bytes, torrent.image.size());
  EXPECT_EQ(leech.events.view.availability, std::vector<std::uint16_t>(torrent.pieces(), 0));
}

TEST_F(Transfer, ARemovedArtifactLetsItsStoreGo) {
  const auto torrent = test::make_test_torrent(8 * kPieceSize, kPieceSize);
  auto& seed = add_seed(node(2), torrent);
  auto& leech = add_leech(node(3), torrent);
  connect(leech, seed, torrent);
  ASSERT_TRUE(completes(leech, torrent));
  const std::weak_ptr<MemoryStore> store = leech.store;
  leech.swarm->remove(torrent.id);
  leech.store.reset();
  EXPECT_TRUE(main_.run_until([&] { return store.expired(); }));
  add_leech(leech, torrent);  // and it can come back
  leech.events = {};
  connect(leech, seed, torrent);
  EXPECT_TRUE(completes(leech, torrent));
}

TEST_F(Transfer, ATorrentThatIsNotTheArtifactsIsRefused) {
  auto torrent = test::make_test_torrent(8 * kPieceSize, kPieceSize, 1);
  const auto other = test::make_test_torrent(8 * kPieceSize, kPieceSize, 2);
  auto& at = node(2);
  const auto store = std::make_shared<MemoryStore>(torrent.image.size());
  const auto add = [&](const transfer::ArtifactId& id, transfer::SwarmArtifact artifact) {
    const auto added = at.swarm->add(id, std::move(artifact), at.events);
    return added ? ErrorKind::internal : added.error().kind;
  };
  EXPECT_EQ(add(other.id, test::describe(torrent, store, false)), ErrorKind::metadata_invalid);
  auto wrong_count = test::describe(torrent, store, false);
  wrong_count.have = transfer::PieceSet(7);
  EXPECT_EQ(add(torrent.id, std::move(wrong_count)), ErrorKind::metadata_invalid);
  const auto ragged = test::make_test_torrent(8 * kPieceSize - kBlock, kPieceSize, 3);
  auto ragged_artifact = test::describe(ragged, store, false);
  ragged_artifact.have = transfer::PieceSet(8);
  EXPECT_EQ(add(ragged.id, std::move(ragged_artifact)), ErrorKind::metadata_invalid);
  ASSERT_TRUE(at.swarm->add(torrent.id, test::describe(torrent, store, false), at.events));
  EXPECT_EQ(add(torrent.id, test::describe(torrent, store, false)), ErrorKind::conflict);
  torrent.torrent.resize(torrent.torrent.size() / 2);
  EXPECT_EQ(add(torrent.id, test::describe(torrent, store, false)), ErrorKind::conflict);
  at.swarm->remove(torrent.id);
  EXPECT_EQ(add(torrent.id, test::describe(torrent, store, false)), ErrorKind::metadata_invalid);
}

}  // namespace
}  // namespace shoal
