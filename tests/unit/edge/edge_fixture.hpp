// An artifact with its bundles, two servers that have them, and an edge client to fetch it with.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <random>

#include "base/worker_pool.hpp"
#include "content/merkle.hpp"
#include "edge/edge_client.hpp"
#include "test_server.hpp"

namespace shoal::edge {

using test::Fault;
using test::TestServer;
using transfer::Edge;

inline constexpr std::uint32_t kPieceSize = 64 * 1024;
inline constexpr std::uint32_t kFrameSize = 16 * 1024;
inline constexpr std::uint32_t kFrames = kPieceSize / kFrameSize;

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
  // The same plain bytes, compressed to others: a bit of each zstd frame's head means nothing.
  void put_otherwise_compressed_on(TestServer& server) const {
    auto changed = bundles;
    for (const auto& piece : index->pieces) {
      auto& bundle = changed.at(content::bundle_path(index->bundles[piece.bundle]));
      std::uint64_t at = piece.offset;
      for (const auto& frame : piece.frames) {
        constexpr std::uint64_t kDescriptor = 4;
        if (frame.compressed) bundle[at + kDescriptor] ^= 0x10;
        at += frame.stored_size;
      }
    }
    for (const auto& [path, bytes] : changed) server.put(path, bytes);
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
  transfer::EdgeHandle handle{};

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
    handle = edge->add(artifact.id, artifact.description(std::move(mirrors)), events);
  }
  void start() { start({server.url()}); }
  static std::vector<Edge::Want> wants(std::uint32_t first, std::uint32_t end) {
    std::vector<Edge::Want> list;
    for (std::uint32_t piece = first; piece < end; ++piece) list.push_back({PieceIndex(piece)});
    return list;
  }
  static std::vector<PieceIndex> pieces(std::uint32_t first, std::uint32_t end) {
    std::vector<PieceIndex> list;
    for (std::uint32_t piece = first; piece < end; ++piece) list.emplace_back(piece);
    return list;
  }
  void fetch_all() { edge->fetch(handle, wants(0, 24)); }
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

}  // namespace shoal::edge
