// The edge client against servers with faults: pieces arrive right or not at all, bad mirrors are
// left, memory stays bounded.
#include "edge/edge_client.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <random>

#include "base/worker_pool.hpp"
#include "content/merkle.hpp"
#include "test_server.hpp"

namespace shoal::edge {
namespace {

using test::Fault;
using test::TestServer;
using transfer::Edge;

constexpr std::uint32_t kPieceSize = 64 * 1024;
constexpr std::uint32_t kFrameSize = 16 * 1024;
constexpr std::uint32_t kFrames = kPieceSize / kFrameSize;

// The main thread of a test: runs what is posted while it waits for a condition.
class TestLoop final : public Executor {
 public:
  void post(std::function<void()> task) override {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    wake_.notify_one();
  }
  // False when the condition did not come true within half a minute.
  bool run_until(const std::function<bool()>& condition) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      std::unique_lock lock(mutex_);
      // Conditions may also depend on servers, so look again every few milliseconds.
      wake_.wait_for(lock, std::chrono::milliseconds(5), [this] { return !tasks_.empty(); });
      if (std::chrono::steady_clock::now() > deadline) return false;
      if (tasks_.empty()) continue;
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
};

struct FakeStore final : transfer::ImageStore {
  Bytes image;
  bool fails = false;
  Result<void> read(std::uint64_t offset, MutableByteView out) override {
    if (fails) return fail(ErrorKind::io_error, "the disk is gone");
    std::copy_n(image.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }
  Result<void> write(std::uint64_t, ByteView) override { return {}; }
  bool offers(PieceIndex) override { return true; }
};

// An image of seeded bytes, half of it compressible, and its bundles.
struct Artifact {
  Bytes image;
  std::shared_ptr<content::EdgeIndex> index = std::make_shared<content::EdgeIndex>();
  std::shared_ptr<std::vector<Digest>> hashes = std::make_shared<std::vector<Digest>>();
  std::shared_ptr<FakeStore> store = std::make_shared<FakeStore>();
  std::map<std::string, Bytes> bundles;
  transfer::ArtifactId id;

  explicit Artifact(std::uint32_t pieces, std::uint32_t pieces_per_bundle = 8, int seed = 1) {
    std::mt19937_64 random(static_cast<std::uint64_t>(seed));
    image.resize(std::size_t{pieces} * kPieceSize);
    for (std::size_t i = 0; i < image.size(); ++i)
      image[i] = static_cast<std::uint8_t>(i / kFrameSize % 2 == 0 ? random() : random() % 2);
    id = sha256(image);
    store->image.resize(image.size());
    index->piece_size = kPieceSize;
    index->frame_size = kFrameSize;
    for (std::uint32_t first = 0; first < pieces; first += pieces_per_bundle)
      add_bundle(first, std::min(first + pieces_per_bundle, pieces));
  }
  void add_bundle(std::uint32_t first, std::uint32_t end) {
    Bytes bundle;
    for (std::uint32_t piece = first; piece < end; ++piece) {
      content::PieceLocation location{
          static_cast<std::uint32_t>(index->bundles.size()), bundle.size(), {}};
      for (std::uint32_t frame = 0; frame < kFrames; ++frame) {
        auto stored = content::compress_frame(
            plain(piece).subspan(std::size_t{frame} * kFrameSize, kFrameSize), 3);
        location.frames.push_back(stored.frame);
        bundle.insert(bundle.end(), stored.bytes.begin(), stored.bytes.end());
      }
      index->pieces.push_back(location);
      hashes->push_back(content::piece_hash(plain(piece)));
    }
    Digest name = sha256(bundle);
    index->bundles.push_back(name);
    index->bundle_sizes.push_back(bundle.size());
    bundles[content::bundle_path(name)] = std::move(bundle);
  }
  ByteView plain(std::uint32_t piece) const {
    return ByteView(image).subspan(std::size_t{piece} * kPieceSize, kPieceSize);
  }
  void put_on(TestServer& server) const {
    for (const auto& [path, bytes] : bundles) server.put(path, bytes);
  }
  transfer::EdgeArtifact description(std::vector<std::string> mirrors) const {
    return {index, hashes, store, std::move(mirrors)};
  }
};

struct Recorder final : transfer::EdgeEvents {
  std::map<std::uint32_t, Bytes> pieces;
  std::map<std::uint32_t, std::pair<Error, std::uint32_t>> failures;
  std::uint64_t wire_bytes = 0;
  std::function<void()> before_piece = [] {};
  void edge_piece(const transfer::ArtifactId&, PieceIndex piece, Bytes bytes,
                  std::uint64_t wire) override {
    before_piece();
    EXPECT_EQ(pieces.count(piece.value()), 0U) << "a piece came twice";
    pieces[piece.value()] = std::move(bytes);
    wire_bytes += wire;
  }
  void edge_failed(const transfer::ArtifactId&, PieceIndex piece, const Error& error,
                   std::uint32_t retry_after_ms) override {
    failures[piece.value()] = {error, retry_after_ms};
  }
};

struct EdgeClientTest : testing::Test {
  TestServer server;
  TestServer second;
  Artifact artifact{24};
  TestLoop loop;
  WorkerPool workers{2};
  Log log{LogLevel::off};
  Recorder events;
  EdgeOptions options;
  std::unique_ptr<Edge> edge;

  EdgeClientTest() {
    artifact.put_on(server);
    artifact.put_on(second);
    options.low_speed_bytes_per_s = 100'000'000;
    options.low_speed_seconds = 1;
    options.backoff_first_ms = 20;
    options.backoff_max_ms = 50;
  }
  void start(std::vector<std::string> mirrors) {
    edge = make_edge(options, loop, workers, log).value();
    edge->add(artifact.id, artifact.description(std::move(mirrors)), events);
  }
  void start() { start({server.url()}); }
  static std::vector<Edge::Want> wants(std::uint32_t first, std::uint32_t end) {
    std::vector<Edge::Want> list;
    for (std::uint32_t piece = first; piece < end; ++piece) list.push_back({PieceIndex(piece)});
    return list;
  }
  void fetch_all() { edge->fetch(artifact.id, wants(0, 24)); }
  bool wait_for(std::size_t pieces) {
    return loop.run_until([&] { return events.pieces.size() >= pieces; });
  }
  bool wait_for_failures(std::size_t count) {
    return loop.run_until([&] { return events.failures.size() >= count; });
  }
  void expect_all_right() {
    ASSERT_EQ(events.pieces.size(), 24U);
    for (const auto& [piece, bytes] : events.pieces)
      EXPECT_TRUE(std::ranges::equal(bytes, artifact.plain(piece))) << "piece " << piece;
  }
  // Plain bytes of the pieces that were asked of the server and have not been handed over. (Their
  // compressed bytes may be gone by now.)
  std::uint64_t in_flight_bytes() const {
    std::uint64_t bytes = 0;
    auto requests = server.requests();
    for (std::uint32_t piece = 0; piece < artifact.index->pieces.size(); ++piece) {
      const auto& location = artifact.index->pieces[piece];
      std::string path = "/" + content::bundle_path(artifact.index->bundles[location.bundle]);
      bool asked = std::any_of(requests.begin(), requests.end(), [&](const auto& request) {
        return request.path == path && request.begin < location.offset + location.stored_bytes() &&
               request.end > location.offset;
      });
      if (asked && !events.pieces.contains(piece)) bytes += kPieceSize;
    }
    return bytes;
  }
  transfer::MirrorStatus mirror(std::size_t index) const { return edge->mirrors().at(index); }
};

TEST_F(EdgeClientTest, fetches_every_piece_with_one_request_for_each_run_of_neighbours) {
  start();
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  EXPECT_EQ(server.requests().size(), 3U);  // three bundles
  std::uint64_t stored = 0;
  for (const auto& [path, bytes] : artifact.bundles) stored += bytes.size();
  EXPECT_EQ(events.wire_bytes, stored);
  EXPECT_TRUE(loop.run_until([&] { return mirror(0).bytes == stored; }));
}

TEST_F(EdgeClientTest, holes_larger_than_the_limit_are_not_fetched) {
  options.max_gap_bytes = 0;
  start();
  edge->fetch(artifact.id, {{PieceIndex(0)}, {PieceIndex(1)}, {PieceIndex(3)}});
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST_F(EdgeClientTest, only_the_frames_that_are_needed_cross_the_network) {
  options.max_gap_bytes = 0;
  auto whole = artifact.plain(5);
  std::copy(whole.begin(), whole.end(), artifact.store->image.begin() + 5 * kPieceSize);
  std::fill_n(artifact.store->image.begin() + 5 * kPieceSize + kFrameSize, kFrameSize, 0);
  start();
  edge->fetch(artifact.id, {{PieceIndex(5), 0b0010}});
  ASSERT_TRUE(wait_for(1));
  EXPECT_TRUE(std::ranges::equal(events.pieces.at(5), whole));
  EXPECT_EQ(events.wire_bytes, artifact.index->pieces[5].frames[1].stored_size);
}

TEST_F(EdgeClientTest, a_piece_that_does_not_fit_the_disk_is_fetched_whole_and_nobody_is_blamed) {
  start();  // the store holds zeros
  edge->fetch(artifact.id, {{PieceIndex(5), 0b0010}});
  ASSERT_TRUE(wait_for(1));
  EXPECT_TRUE(std::ranges::equal(events.pieces.at(5), artifact.plain(5)));
  EXPECT_FALSE(mirror(0).dropped);
}

TEST_F(EdgeClientTest, a_store_that_cannot_be_read_is_done_without) {
  artifact.store->fails = true;
  start();
  edge->fetch(artifact.id, {{PieceIndex(5), 0b0010}});
  ASSERT_TRUE(wait_for(1));
}

TEST_F(EdgeClientTest, a_mirror_that_serves_wrong_bytes_is_dropped_and_the_other_takes_over) {
  server.set_fault(Fault::wrong_bytes);
  start({server.url(), second.url()});
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  EXPECT_TRUE(loop.run_until([&] { return mirror(0).dropped; }));
  EXPECT_FALSE(mirror(1).dropped);
  EXPECT_EQ(mirror(0).wrong_pieces, 1U);
  EXPECT_NE(mirror(0).last_error.find("wrong bytes"), std::string::npos);
}

TEST_F(EdgeClientTest, when_every_mirror_serves_wrong_bytes_the_pieces_fail_verification) {
  server.set_fault(Fault::wrong_bytes);
  second.set_fault(Fault::wrong_bytes);
  start({server.url(), second.url()});
  fetch_all();
  ASSERT_TRUE(wait_for_failures(24));
  EXPECT_TRUE(events.pieces.empty());
  for (const auto& [piece, failure] : events.failures)
    EXPECT_EQ(failure.first.kind, ErrorKind::verification_failed);
}

// Each of these faults: the second mirror takes over; and alone, the mirror fails retryably.
struct FaultyMirror : EdgeClientTest, testing::WithParamInterface<Fault> {};

TEST_P(FaultyMirror, the_second_mirror_takes_over) {
  server.set_fault(GetParam());
  start({server.url(), second.url()});
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  EXPECT_FALSE(mirror(0).dropped);
}

TEST_P(FaultyMirror, alone_it_fails_retryably_and_works_again_once_it_recovers) {
  server.set_fault(GetParam());
  start();
  edge->fetch(artifact.id, wants(0, 1));
  ASSERT_TRUE(wait_for_failures(1));
  auto [error, retry_after_ms] = events.failures.at(0);
  EXPECT_TRUE(error.retryable()) << error.describe();
  EXPECT_GT(retry_after_ms, 0U);
  server.set_fault(Fault::none);
  auto again = [&] {
    if (events.failures.erase(0) != 0) edge->fetch(artifact.id, wants(0, 1));
    return events.pieces.size() == 1;
  };
  EXPECT_TRUE(loop.run_until(again));
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultyMirror,
                         testing::Values(Fault::wrong_range, Fault::ignores_range, Fault::truncated,
                                         Fault::silent, Fault::not_found, Fault::not_satisfiable,
                                         Fault::server_error, Fault::redirect_loop,
                                         Fault::encoded));

TEST_F(EdgeClientTest, an_endless_body_is_broken_off_at_the_last_byte_asked_for) {
  server.set_fault(Fault::endless);
  start();
  edge->fetch(artifact.id, wants(0, 8));
  ASSERT_TRUE(wait_for(8));
  ASSERT_TRUE(loop.run_until([&] { return !mirror(0).last_error.empty(); }));
  EXPECT_EQ(mirror(0).bytes, artifact.index->bundle_sizes[0]);
}

TEST_F(EdgeClientTest, a_mirror_that_refuses_connections_is_passed_over) {
  server.stop_listening();
  start({server.url(), second.url()});
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  EXPECT_FALSE(mirror(0).last_error.empty());
}

TEST_F(EdgeClientTest, the_edge_dies_and_returns) {
  start();
  edge->fetch(artifact.id, wants(0, 4));
  ASSERT_TRUE(wait_for(4));
  server.stop_listening();
  edge->fetch(artifact.id, wants(4, 24));
  ASSERT_TRUE(wait_for_failures(20));
  EXPECT_EQ(events.failures.at(4).first.kind, ErrorKind::network);
  server.start_listening();
  auto again = [&] {
    for (const auto& [piece, failure] : std::exchange(events.failures, {}))
      edge->fetch(artifact.id, wants(piece, piece + 1));
    return events.pieces.size() == 24;
  };
  ASSERT_TRUE(loop.run_until(again));
  expect_all_right();
}

TEST_F(EdgeClientTest, an_object_that_one_mirror_lacks_is_fetched_from_the_other) {
  TestServer partial;
  auto first_bundle = artifact.bundles.begin();
  partial.put(first_bundle->first, first_bundle->second);
  start({partial.url(), second.url()});
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
}

TEST_F(EdgeClientTest, what_is_in_flight_never_exceeds_the_memory_limit) {
  options.max_in_flight_bytes = 6 * 2 * kPieceSize;
  options.max_request_bytes = 2 * kPieceSize;
  start();
  std::uint64_t most = 0;
  events.before_piece = [&] { most = std::max(most, in_flight_bytes()); };
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  EXPECT_LE(most, options.max_in_flight_bytes);
  EXPECT_GT(most, kPieceSize);
}

TEST_F(EdgeClientTest, a_piece_larger_than_the_memory_limit_still_comes) {
  options.max_in_flight_bytes = 1000;
  start();
  edge->fetch(artifact.id, wants(0, 3));
  ASSERT_TRUE(wait_for(3));
}

TEST_F(EdgeClientTest, a_piece_larger_than_a_request_comes_in_several) {
  options.max_request_bytes = kFrameSize;
  start();
  edge->fetch(artifact.id, wants(0, 2));
  ASSERT_TRUE(wait_for(2));
  EXPECT_GE(server.requests().size(), 4U);
  for (const auto& request : server.requests()) EXPECT_LE(request.end - request.begin, kFrameSize);
}

TEST_F(EdgeClientTest, cancelled_pieces_do_not_come_and_the_others_do) {
  server.close_gate();
  start();
  edge->fetch(artifact.id, wants(0, 12));
  ASSERT_TRUE(loop.run_until([&] { return !server.requests().empty(); }));
  std::vector<PieceIndex> unwanted;
  for (std::uint32_t piece = 0; piece < 10; ++piece) unwanted.emplace_back(piece);
  edge->cancel(artifact.id, unwanted);
  server.open_gate();
  ASSERT_TRUE(wait_for(2));
  EXPECT_TRUE(events.pieces.contains(10));
  EXPECT_TRUE(events.pieces.contains(11));
  EXPECT_EQ(events.pieces.size(), 2U);
}

TEST_F(EdgeClientTest, a_cancelled_piece_can_be_asked_for_again) {
  server.close_gate();
  start();
  edge->fetch(artifact.id, wants(0, 1));
  edge->cancel(artifact.id, {PieceIndex(0)});
  edge->fetch(artifact.id, wants(0, 1));
  server.open_gate();
  ASSERT_TRUE(wait_for(1));
}

TEST_F(EdgeClientTest, asking_twice_fetches_once) {
  start();
  fetch_all();
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  edge->fetch(artifact.id, wants(99, 100));  // and something that comes back last
  ASSERT_TRUE(wait_for_failures(1));
  EXPECT_EQ(server.requests().size(), 3U);
}

TEST_F(EdgeClientTest, nothing_is_called_after_remove) {
  start();
  fetch_all();
  ASSERT_TRUE(wait_for(1));
  edge->remove(artifact.id);
  auto before = events.pieces.size();
  Recorder later;
  edge->add(artifact.id, artifact.description({server.url()}), later);
  edge->fetch(artifact.id, wants(0, 24));
  ASSERT_TRUE(loop.run_until([&] { return later.pieces.size() == 24; }));
  EXPECT_EQ(events.pieces.size(), before);
  EXPECT_TRUE(events.failures.empty());
}

TEST_F(EdgeClientTest, may_be_destroyed_with_requests_in_flight) {
  server.close_gate();
  start();
  fetch_all();
  ASSERT_TRUE(loop.run_until([&] { return !server.requests().empty(); }));
  edge.reset();
  server.open_gate();
  EXPECT_TRUE(events.pieces.empty());
}

TEST_F(EdgeClientTest, unusable_mirrors_and_pieces_fail_clearly) {
  start({"file:///etc", "gopher://x"});
  edge->fetch(artifact.id, wants(0, 1));
  edge->fetch(artifact.id, wants(24, 25));
  ASSERT_TRUE(wait_for_failures(2));
  EXPECT_EQ(events.failures.at(0).first.kind, ErrorKind::source_unavailable);
  EXPECT_EQ(events.failures.at(24).first.kind, ErrorKind::invalid_request);
}

TEST_F(EdgeClientTest, the_download_limit_holds_over_all_transfers) {
  options.max_request_bytes = 2 * kPieceSize;
  start();
  std::uint64_t stored = 0;
  for (const auto& [path, bytes] : artifact.bundles) stored += bytes.size();
  edge->set_download_limit(stored);
  auto begin = std::chrono::steady_clock::now();
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  // A second's worth of bytes, less what is let through at once. Faster is wrong; slower is not.
  EXPECT_GT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(400));
  expect_all_right();
}

}  // namespace
}  // namespace shoal::edge
