// The parts under the disk layer, without libtorrent.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>

#include "swarm/job_queue.hpp"
#include "swarm/stored_image.hpp"
#include "swarm_fakes.hpp"

namespace shoal::swarm {
namespace {

using test::kBlock;

TEST(JobQueue, RunsTheJobsOfALaneInOrderAndNeverTwoAtOnce) {
  constexpr int kLanes = 5, kJobs = 400;
  std::vector<std::vector<int>> seen(kLanes);  // unguarded: a lane is on one thread at a time
  {
    JobQueue queue(3);
    for (int job = 0; job < kJobs; ++job)
      for (int lane = 0; lane < kLanes; ++lane)
        queue.push(static_cast<JobQueue::Lane>(lane),
                   [&seen, lane, job] { seen[static_cast<std::size_t>(lane)].push_back(job); });
    queue.drain();
    for (const auto& jobs : seen) ASSERT_EQ(jobs.size(), kJobs);
  }
  for (const auto& jobs : seen) EXPECT_TRUE(std::ranges::is_sorted(jobs));
}

TEST(JobQueue, ABlockedLaneDoesNotHoldUpAnother) {
  JobQueue queue(2);
  std::promise<void> gate, other;
  queue.push(1, [opened = gate.get_future()]() mutable { opened.wait(); });
  queue.push(1, [] {});
  queue.push(2, [&other] { other.set_value(); });
  EXPECT_EQ(other.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  gate.set_value();
}

TEST(JobQueue, RunsWhatIsQueuedBeforeItEnds) {
  std::atomic<int> ran = 0;
  {
    JobQueue queue(2);
    for (int i = 0; i < 100; ++i)
      queue.push(static_cast<JobQueue::Lane>(i % 7), [&ran, &queue, i] {
        ++ran;
        if (i < 10) queue.push(99, [&ran] { ++ran; });
      });
  }
  EXPECT_EQ(ran, 110);
}

struct StoredImageTest : testing::Test {
  Bytes bytes = test::test_bytes(4 * kBlock, 7);
  std::shared_ptr<test::MemoryStore> store = std::make_shared<test::MemoryStore>(4 * kBlock);
  StoredImage image{store, 2 * kBlock, 2};

  ByteView block(std::size_t i) const { return ByteView(bytes).subspan(i * kBlock, kBlock); }
  ByteView piece(std::size_t i) const {
    return ByteView(bytes).subspan(2 * i * kBlock, 2 * kBlock);
  }
};

TEST_F(StoredImageTest, RemembersTheHashesOfWhatItWrote) {
  ASSERT_TRUE(image.write_block(PieceIndex(1), 1, block(3)));
  ASSERT_TRUE(image.write_block(PieceIndex(1), 0, block(2)));
  const auto hashes = image.hash_piece(PieceIndex(1), false);
  ASSERT_TRUE(hashes);
  EXPECT_EQ(hashes->leaves, (std::vector<Digest>{sha256(block(2)), sha256(block(3))}));
  EXPECT_EQ(store->bytes_read(), 0);
}

TEST_F(StoredImageTest, ReadsAndHashesBlocksThatWereThereBefore) {
  store->set_bytes(0, block(0));
  ASSERT_TRUE(image.write_block(PieceIndex(0), 1, block(1)));
  const auto hashes = image.hash_piece(PieceIndex(0), false);
  ASSERT_TRUE(hashes);
  EXPECT_EQ(hashes->leaves, (std::vector<Digest>{sha256(block(0)), sha256(block(1))}));
  EXPECT_EQ(store->bytes_read(), kBlock);
  EXPECT_EQ(image.hash_block(PieceIndex(0), kBlock).value(), sha256(block(1)));
}

TEST_F(StoredImageTest, ALateBlockDoesNotSpoilADeliveredPiece) {
  ASSERT_TRUE(image.write_block(PieceIndex(0), 0, Bytes(kBlock, 0xee)));
  ASSERT_TRUE(image.deliver(PieceIndex(0), piece(0), true));
  ASSERT_TRUE(image.write_block(PieceIndex(0), 1, Bytes(kBlock, 0xee)));
  const auto hashes = image.hash_piece(PieceIndex(0), true);
  ASSERT_TRUE(hashes);
  EXPECT_EQ(hashes->leaves, (std::vector<Digest>{sha256(block(0)), sha256(block(1))}));
  EXPECT_EQ(hashes->v1, sha1(piece(0)));
  EXPECT_EQ(store->bytes_read(), 0);
  EXPECT_TRUE(std::ranges::equal(piece(0), ByteView(store->bytes()).first(2 * kBlock)));
  EXPECT_TRUE(image.passed(PieceIndex(0)));
  EXPECT_FALSE(image.is_delivered(PieceIndex(0)));
  EXPECT_FALSE(image.passed(PieceIndex(1)));
}

TEST_F(StoredImageTest, APieceOfPeersThatFailedIsWrittenAnew) {
  ASSERT_TRUE(image.write_block(PieceIndex(0), 0, block(1)));
  EXPECT_EQ(image.failed(PieceIndex(0)), StoredImage::Failure::of_peers);
  ASSERT_TRUE(image.write_block(PieceIndex(0), 0, block(0)));
  EXPECT_TRUE(std::ranges::equal(block(0), ByteView(store->bytes()).first(kBlock)));
}

TEST_F(StoredImageTest, ADeliveryThatMeetsAFailingCheckIsKeptForOneMore) {
  ASSERT_TRUE(image.write_block(PieceIndex(0), 0, Bytes(kBlock, 0xee)));
  ASSERT_TRUE(image.deliver(PieceIndex(0), piece(0), false));
  EXPECT_EQ(image.failed(PieceIndex(0)), StoredImage::Failure::in_passing);
  EXPECT_TRUE(image.is_delivered(PieceIndex(0)));
  ASSERT_TRUE(image.hash_piece(PieceIndex(0), false));
  EXPECT_TRUE(image.passed(PieceIndex(0)));
}

TEST_F(StoredImageTest, AWrongDeliveryIsWrittenAnewByPeers) {
  ASSERT_TRUE(image.deliver(PieceIndex(0), piece(1), false));
  EXPECT_EQ(image.failed(PieceIndex(0)), StoredImage::Failure::in_passing);
  EXPECT_EQ(image.failed(PieceIndex(0)), StoredImage::Failure::of_delivery);
  EXPECT_FALSE(image.is_delivered(PieceIndex(0)));
  ASSERT_TRUE(image.write_block(PieceIndex(0), 0, block(0)));
  EXPECT_TRUE(std::ranges::equal(block(0), ByteView(store->bytes()).first(kBlock)));
}

TEST_F(StoredImageTest, APieceThatIsLostTakesItsFileAlongAndIsReportedOnce) {
  StoredImage fine{store, kBlock, 4};
  store->lose(kBlock, 1, 2);
  EXPECT_EQ(fine.lose(PieceIndex(2)), (std::vector{PieceIndex(2), PieceIndex(1)}));
  EXPECT_TRUE(fine.lose(PieceIndex(1)).empty());
  EXPECT_TRUE(fine.is_lost(PieceIndex(1)));
  EXPECT_FALSE(fine.is_lost(PieceIndex(3)));
  store->lose(kBlock, 0, 2);
  EXPECT_EQ(fine.lose(PieceIndex(0)), std::vector{PieceIndex(0)});
  EXPECT_EQ(fine.lost_since(1), (std::vector{PieceIndex(1), PieceIndex(0)}));
  EXPECT_TRUE(fine.lost_since(9).empty());
}

TEST_F(StoredImageTest, PassesOnTheErrorsOfTheStore) {
  store->fail_reads();
  EXPECT_EQ(image.hash_piece(PieceIndex(0), false).error().kind, ErrorKind::verification_failed);
  store->seal();
  EXPECT_EQ(image.write_block(PieceIndex(0), 0, block(0)).error().kind, ErrorKind::read_only);
  EXPECT_EQ(image.deliver(PieceIndex(0), piece(0), false).error().kind, ErrorKind::read_only);
}

}  // namespace
}  // namespace shoal::swarm
