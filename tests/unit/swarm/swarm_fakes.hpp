// A store in memory with faults to set, a main thread that a test runs by hand, and nodes of a
// swarm, each on a loopback address of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/executor.hpp"
#include "base/log.hpp"
#include "swarm/swarm.hpp"
#include "transfer/swarm.hpp"

namespace shoal::test {

inline constexpr std::uint32_t kBlock = 16 * 1024;

// Deterministic bytes that do not repeat.
Bytes test_bytes(std::size_t size, std::uint64_t seed);

struct TestTorrent {
  transfer::ArtifactId id;
  Bytes torrent;
  Bytes image;
  std::uint32_t piece_size = 0;
  std::uint32_t pieces() const {
    return static_cast<std::uint32_t>((image.size() + piece_size - 1) / piece_size);
  }
};
TestTorrent make_test_torrent(std::size_t size, std::uint32_t piece_size, std::uint64_t seed = 1,
                              bool hybrid = false);

class MemoryStore final : public transfer::ImageStore {
 public:
  explicit MemoryStore(std::size_t size) : bytes_(size) {}
  explicit MemoryStore(Bytes bytes) : bytes_(std::move(bytes)) {}

  Result<void> read(std::uint64_t offset, MutableByteView out) override;
  Result<void> write(std::uint64_t offset, ByteView bytes) override;
  bool offers(PieceIndex piece) override;

  // Faults, set at any time:
  void seal() { set(sealed_); }
  void fail_reads() { set(fail_reads_); }
  void fail_writes() { set(fail_writes_); }
  void flip_byte(std::size_t at);
  // Pieces of `piece_size` from `first` to `last` lie in a file that changed.
  void lose(std::uint32_t piece_size, std::uint32_t first, std::uint32_t last);
  void set_bytes(std::size_t at, ByteView bytes);

  Bytes bytes() const;
  std::uint64_t bytes_read() const;
  std::uint64_t bytes_written() const;
  int most_writes_of_a_block() const;
  int refused_writes() const;

 private:
  void set(bool& flag) {
    std::lock_guard lock(mutex_);
    flag = true;
  }
  mutable std::mutex mutex_;
  Bytes bytes_;
  bool sealed_ = false, fail_reads_ = false, fail_writes_ = false;
  std::uint64_t lost_begin_ = 0, lost_end_ = 0, lost_piece_size_ = 1;
  std::uint64_t read_ = 0, written_ = 0;
  int refused_ = 0;
  std::map<std::uint64_t, int> writes_by_block_;
};

// The main thread of a test.
class ManualExecutor final : public Executor {
 public:
  void post(std::function<void()> task) override;
  // Runs tasks until the condition holds. False when it does not within the time.
  bool run_until(const std::function<bool()>& condition,
                 std::chrono::seconds limit = std::chrono::seconds(60));

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
};

struct RecordedEvents final : transfer::SwarmEvents {
  std::vector<PieceIndex> from_peers, delivered, failed, failed_deliveries, lost;
  std::vector<Error> store_errors, loss_errors;
  transfer::SwarmView view;  // the last
  int views = 0;
  std::uint64_t peers_seen = 0;  // the most at a time
  int left_alone = 0;            // views without peers after some with
  std::size_t done() const { return from_peers.size() + delivered.size(); }

  void swarm_piece_done(const transfer::ArtifactId&, PieceIndex piece, bool peers) override {
    (peers ? from_peers : delivered).push_back(piece);
  }
  void swarm_piece_failed(const transfer::ArtifactId&, PieceIndex piece, bool peers) override {
    (peers ? failed : failed_deliveries).push_back(piece);
  }
  void swarm_pieces_lost(const transfer::ArtifactId&, const std::vector<PieceIndex>& pieces,
                         const Error& error) override {
    lost.insert(lost.end(), pieces.begin(), pieces.end());
    loss_errors.push_back(error);
  }
  void swarm_view(const transfer::ArtifactId&, const transfer::SwarmView& now) override {
    if (now.peers.empty() && !view.peers.empty()) ++left_alone;
    view = now;
    ++views;
    peers_seen = std::max<std::uint64_t>(peers_seen, now.peers.size());
  }
  void swarm_store_failed(const transfer::ArtifactId&, const Error& error) override {
    store_errors.push_back(error);
  }
};

// "127.x.y.<number>", different for every test process.
std::string node_address(int number);
inline constexpr std::uint16_t kNodePort = 7001;

// One machine: its swarm with one artifact.
struct Node {
  std::string address;
  RecordedEvents events;
  std::shared_ptr<MemoryStore> store;
  std::unique_ptr<swarm::Session> swarm;
};

swarm::SwarmOptions node_options(int number);
std::unique_ptr<Node> make_node(const swarm::SwarmOptions& options, int number, Executor& main,
                                Log& log);
transfer::SwarmArtifact describe(const TestTorrent& torrent,
                                 std::shared_ptr<transfer::ImageStore> store, bool complete);

}  // namespace shoal::test
