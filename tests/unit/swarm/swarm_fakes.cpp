// The torrents are made with libtorrent itself, so that ours are held against its idea of them.
#include "swarm_fakes.hpp"

#include <unistd.h>

#include <algorithm>
#include <libtorrent/bencode.hpp>
#include <libtorrent/create_torrent.hpp>
#include <libtorrent/file_storage.hpp>
#include <libtorrent/torrent_info.hpp>
#include <random>

#include "base/asio.hpp"
#include "base/sha256.hpp"

namespace shoal::test {
namespace {

Digest piece_root(ByteView piece) {
  std::vector<Digest> layer;
  for (std::size_t at = 0; at < piece.size(); at += kBlock)
    layer.push_back(sha256(piece.subspan(at, std::min<std::size_t>(kBlock, piece.size() - at))));
  while (layer.size() > 1) {
    if (layer.size() % 2 == 1) layer.emplace_back();  // enough for a piece one block short
    for (std::size_t i = 0; i < layer.size() / 2; ++i)
      layer[i] = sha256_pair(layer[2 * i], layer[2 * i + 1]);
    layer.resize(layer.size() / 2);
  }
  return layer.front();
}

}  // namespace

Bytes test_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t value = random();
    for (std::size_t k = 0; k < 8 && i + k < size; ++k)
      bytes[i + k] = static_cast<std::uint8_t>(value >> (8 * k));
  }
  return bytes;
}

TestTorrent make_test_torrent(std::size_t size, std::uint32_t piece_size, std::uint64_t seed,
                              bool hybrid) {
  TestTorrent result;
  result.image = test_bytes(size, seed);
  result.piece_size = piece_size;
  lt::file_storage files;
  files.add_file("test-" + std::to_string(seed) + ".image", static_cast<std::int64_t>(size));
  lt::create_torrent creator(files, static_cast<int>(piece_size),
                             hybrid ? lt::create_flags_t{} : lt::create_torrent::v2_only);
  for (std::uint32_t i = 0; i < result.pieces(); ++i) {
    const std::size_t at = std::size_t{i} * piece_size;
    const auto piece =
        ByteView(result.image).subspan(at, std::min<std::size_t>(piece_size, size - at));
    const Digest root = piece_root(piece);
    creator.set_hash2(lt::file_index_t{0}, lt::piece_index_t::diff_type{static_cast<int>(i)},
                      lt::sha256_hash(reinterpret_cast<const char*>(root.bytes.data())));
    if (!hybrid) continue;
    const auto v1 = sha1(piece);
    creator.set_hash(lt::piece_index_t{static_cast<int>(i)},
                     lt::sha1_hash(reinterpret_cast<const char*>(v1.data())));
  }
  std::vector<char> encoded;
  lt::bencode(std::back_inserter(encoded), creator.generate());
  result.torrent.assign(encoded.begin(), encoded.end());
  const lt::torrent_info info(lt::span<const char>(encoded), lt::from_span);
  std::ranges::copy(info.info_hashes().v2, reinterpret_cast<char*>(result.id.bytes.data()));
  return result;
}

Result<void> MemoryStore::read(std::uint64_t offset, MutableByteView out) {
  std::lock_guard lock(mutex_);
  const bool lost = offset < lost_end_ && offset + out.size() > lost_begin_;
  if (fail_reads_ || lost)
    return fail(ErrorKind::verification_failed, "the file changed (a test's fault)");
  if (offset + out.size() > bytes_.size()) return fail(ErrorKind::io_error, "beyond the image");
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
  read_ += out.size();
  return {};
}

Result<void> MemoryStore::write(std::uint64_t offset, ByteView bytes) {
  std::lock_guard lock(mutex_);
  if (sealed_) {
    ++refused_;
    return fail(ErrorKind::read_only, "the store is sealed");
  }
  if (fail_writes_) return fail(ErrorKind::disk_full, "no space left (a test's fault)");
  if (offset + bytes.size() > bytes_.size()) return fail(ErrorKind::io_error, "beyond the image");
  std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
  written_ += bytes.size();
  for (std::uint64_t at = offset; at < offset + bytes.size(); at += kBlock)
    ++writes_by_block_[at / kBlock];
  return {};
}

bool MemoryStore::offers(PieceIndex piece) {
  std::lock_guard lock(mutex_);
  const std::uint64_t at = piece.value() * lost_piece_size_;
  return at < lost_begin_ || at >= lost_end_;
}

void MemoryStore::lose(std::uint32_t piece_size, std::uint32_t first, std::uint32_t last) {
  std::lock_guard lock(mutex_);
  lost_piece_size_ = piece_size;
  lost_begin_ = std::uint64_t{first} * piece_size;
  lost_end_ = (std::uint64_t{last} + 1) * piece_size;
}

void MemoryStore::flip_byte(std::size_t at) {
  std::lock_guard lock(mutex_);
  bytes_[at] ^= 1;
}

void MemoryStore::set_bytes(std::size_t at, ByteView bytes) {
  std::lock_guard lock(mutex_);
  std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(at));
}

Bytes MemoryStore::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}
std::uint64_t MemoryStore::bytes_read() const {
  std::lock_guard lock(mutex_);
  return read_;
}
std::uint64_t MemoryStore::bytes_written() const {
  std::lock_guard lock(mutex_);
  return written_;
}
int MemoryStore::refused_writes() const {
  std::lock_guard lock(mutex_);
  return refused_;
}
int MemoryStore::most_writes_of_a_block() const {
  std::lock_guard lock(mutex_);
  int most = 0;
  for (const auto& [block, writes] : writes_by_block_) most = std::max(most, writes);
  return most;
}

void ManualExecutor::post(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

bool ManualExecutor::run_until(const std::function<bool()>& condition, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    std::unique_lock lock(mutex_);
    // Conditions may also depend on other threads: look again now and then.
    wake_.wait_for(lock, std::chrono::milliseconds(20), [this] { return !tasks_.empty(); });
    if (std::chrono::steady_clock::now() > deadline) return false;
    if (tasks_.empty()) continue;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
  }
  return true;
}

std::string node_address(int number) {
  const int process = static_cast<int>(getpid());
  return "127." + std::to_string(1 + (process >> 8) % 250) + "." + std::to_string(process % 256) +
         "." + std::to_string(number);
}

swarm::SwarmOptions node_options(int number) {
  swarm::SwarmOptions options;
  options.listen = node_address(number) + ":" + std::to_string(kNodePort);
  options.outgoing = node_address(number);
  options.lan_discovery = false;
  options.upnp = false;
  options.utp = false;
  options.consent = transfer::Consent::granted;
  options.allow_multiple_connections_per_ip = true;
  options.node = 1000 + static_cast<std::uint64_t>(number);
  return options;
}

std::unique_ptr<Node> make_node(const swarm::SwarmOptions& options, int number, Executor& main,
                                Log& log) {
  auto node = std::make_unique<Node>();
  node->address = node_address(number);
  node->swarm = swarm::make_swarm(options, main, log).value();
  return node;
}

transfer::SwarmArtifact describe(const TestTorrent& torrent,
                                 std::shared_ptr<transfer::ImageStore> store, bool complete) {
  transfer::SwarmArtifact artifact;
  artifact.torrent = torrent.torrent;
  artifact.store = std::move(store);
  artifact.have = transfer::PieceSet(torrent.pieces(), complete);
  return artifact;
}

}  // namespace shoal::test
