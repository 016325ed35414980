// How fast the swarm is. Each comparison is made in one run, seed and leech in one process on
// loopback:
//   swarm_throughput file [MiB]                       our disk layer beside libtorrent's own
//   swarm_throughput tree [files] [KiB each]          an image over many files beside one file
//   swarm_throughput mesh [clients] [MiB] [KiB/s]     one seed, equal links, beside the fluid bound
// Folders are made under the current one and removed.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <functional>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_info.hpp>
#include <libtorrent/torrent_status.hpp>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "base/asio.hpp"
#include "content/merkle.hpp"
#include "content/torrent.hpp"
#include "swarm/swarm.hpp"

namespace shoal {
namespace {

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr std::uint16_t kPort = 7101;
constexpr std::uint32_t kPieceSize = 1 << 20;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}
double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}
std::string address(int number) { return "127.77.0." + std::to_string(number); }

// The image as files of one size in a folder, opened for each access: what a store of small files
// costs without any cache of its own. One file of the whole size is the plain case.
class FolderStore final : public transfer::ImageStore {
 public:
  FolderStore(fs::path folder, std::uint64_t file_size)
      : folder_(std::move(folder)), file_size_(file_size) {
    fs::create_directories(folder_);
  }
  Result<void> read(std::uint64_t offset, MutableByteView out) override {
    return each(offset, out.size(), O_RDONLY,
                [&](int fd, std::uint64_t at, std::size_t begin, std::size_t size) {
                  return pread(fd, out.data() + begin, size, static_cast<off_t>(at));
                });
  }
  Result<void> write(std::uint64_t offset, ByteView bytes) override {
    return each(offset, bytes.size(), O_WRONLY | O_CREAT,
                [&](int fd, std::uint64_t at, std::size_t begin, std::size_t size) {
                  return pwrite(fd, bytes.data() + begin, size, static_cast<off_t>(at));
                });
  }
  bool offers(PieceIndex) override { return true; }

 private:
  template <typename Action>
  Result<void> each(std::uint64_t offset, std::size_t size, int flags, Action action) {
    for (std::size_t done = 0; done < size;) {
      const std::uint64_t at = offset + done;
      const std::uint64_t within = at % file_size_;
      const auto part =
          static_cast<std::size_t>(std::min<std::uint64_t>(size - done, file_size_ - within));
      const fs::path path = folder_ / std::to_string(at / file_size_);
      const int fd = open(path.c_str(), flags, 0644);
      if (fd < 0) return fail(ErrorKind::io_error, "opening " + path.string());
      const auto moved = action(fd, within, done, part);
      close(fd);
      if (moved != static_cast<ssize_t>(part))
        return fail(ErrorKind::io_error, "reading or writing " + path.string());
      done += part;
    }
    return {};
  }
  const fs::path folder_;
  const std::uint64_t file_size_;
};

class MemoryStore final : public transfer::ImageStore {
 public:
  explicit MemoryStore(std::size_t size) : bytes_(size) {}
  Result<void> read(std::uint64_t offset, MutableByteView out) override {
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }
  Result<void> write(std::uint64_t offset, ByteView bytes) override {
    std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }
  bool offers(PieceIndex) override { return true; }

 private:
  Bytes bytes_;
};

class MainThread final : public Executor {
 public:
  void post(std::function<void()> task) override {
    {
      std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
  }
  void run_until(const std::function<bool()>& condition) {
    while (!condition()) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !tasks_.empty(); });
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
};

struct Image {
  content::Torrent torrent;
  Bytes encoded;
};

// Writes pseudo-random bytes into the store, and makes the torrent of them.
Image fill(transfer::ImageStore& store, std::uint64_t size, std::uint32_t piece_size) {
  std::mt19937_64 random(4);
  content::TorrentInput input;
  input.name = "bench.image";
  input.image_size = size;
  input.piece_size = piece_size;
  std::vector<std::uint64_t> words(piece_size / 8);
  for (std::uint64_t at = 0; at < size; at += piece_size) {
    std::ranges::generate(words, std::ref(random));
    const ByteView piece(reinterpret_cast<const std::uint8_t*>(words.data()), piece_size);
    if (!store.write(at, piece)) std::abort();
    input.piece_hashes.push_back(content::piece_hash(piece));
  }
  Image image;
  image.encoded = content::make_torrent(input);
  image.torrent = content::parse_torrent(image.encoded).value();
  return image;
}

struct Counter final : transfer::SwarmEvents {
  std::size_t done = 0;
  void swarm_piece_done(const transfer::ArtifactId&, PieceIndex, bool) override { ++done; }
  void swarm_piece_failed(const transfer::ArtifactId&, PieceIndex, bool) override {}
  void swarm_pieces_lost(const transfer::ArtifactId&, const std::vector<PieceIndex>&,
                         const Error&) override {}
  void swarm_view(const transfer::ArtifactId&, const transfer::SwarmView&) override {}
  void swarm_store_failed(const transfer::ArtifactId&, const Error& error) override {
    std::printf("store failed: %s\n", error.describe().c_str());
    std::exit(1);
  }
};

struct Client {
  Counter events;
  std::unique_ptr<swarm::Session> swarm;
  Client(int number, const Image& image, std::shared_ptr<transfer::ImageStore> store, bool complete,
         std::uint64_t limit, Executor& main, Log& log) {
    swarm::SwarmOptions options;
    options.listen = address(number) + ":" + std::to_string(kPort);
    options.outgoing = address(number);
    options.lan_discovery = options.upnp = options.utp = false;
    options.consent = transfer::Consent::granted;
    options.limits = {limit, limit};
    options.allow_multiple_connections_per_ip = true;
    swarm = swarm::make_swarm(options, main, log).value();
    transfer::SwarmArtifact artifact;
    artifact.torrent = image.encoded;
    artifact.store = std::move(store);
    artifact.have =
        transfer::PieceSet(static_cast<std::uint32_t>(image.torrent.piece_hashes.size()), complete);
    if (!swarm->add(image.torrent.info_hash, std::move(artifact), events)) std::abort();
  }
};

void report(const char* what, std::uint64_t size, double seconds, double cpu) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%-34s %7.1f MB/s  %6.2f s  %6.2f s CPU  peak %ld MB resident\n", what,
              static_cast<double>(size) / 1e6 / seconds, seconds, cpu, usage.ru_maxrss / 1024);
  std::fflush(stdout);
}

// From a seed's store to a leech's.
void transfer_ours(const char* what, const Image& image, std::shared_ptr<transfer::ImageStore> from,
                   std::shared_ptr<transfer::ImageStore> to) {
  MainThread main;
  Log log(LogLevel::warning);
  Client seed(2, image, std::move(from), true, 0, main, log);
  Client leech(3, image, std::move(to), false, 0, main, log);
  const auto start = Clock::now();
  const double cpu = cpu_seconds();
  if (!leech.swarm->connect_peer(image.torrent.info_hash, address(2), kPort)) std::abort();
  main.run_until([&] { return leech.events.done == image.torrent.piece_hashes.size(); });
  report(what, image.torrent.image_size, seconds_since(start), cpu_seconds() - cpu);
}

std::unique_ptr<lt::session> stock_session(int number) {
  lt::settings_pack settings;
  settings.set_str(lt::settings_pack::listen_interfaces,
                   address(number) + ":" + std::to_string(kPort));
  settings.set_str(lt::settings_pack::outgoing_interfaces, address(number));
  for (int off : {lt::settings_pack::enable_dht, lt::settings_pack::enable_lsd,
                  lt::settings_pack::enable_upnp, lt::settings_pack::enable_natpmp,
                  lt::settings_pack::enable_outgoing_utp})
    settings.set_bool(off, false);
  return std::make_unique<lt::session>(lt::session_params(settings));
}

lt::torrent_handle stock_torrent(lt::session& session, const Image& image, const fs::path& folder,
                                 bool complete) {
  lt::add_torrent_params params;
  params.ti = std::make_shared<lt::torrent_info>(
      lt::span<const char>(reinterpret_cast<const char*>(image.encoded.data()),
                           static_cast<std::ptrdiff_t>(image.encoded.size())),
      lt::from_span);
  if (complete) params.have_pieces.resize(params.ti->num_pieces(), true);
  params.save_path = fs::absolute(folder).string();
  return session.add_torrent(std::move(params));
}

void transfer_stock(const Image& image, const fs::path& from, const fs::path& to) {
  auto seed = stock_session(2), leech = stock_session(3);
  stock_torrent(*seed, image, from, true);
  const auto torrent = stock_torrent(*leech, image, to, false);
  const auto start = Clock::now();
  const double cpu = cpu_seconds();
  torrent.connect_peer({lt::make_address(address(2)), kPort});
  while (!torrent.status().is_seeding) {
    leech->wait_for_alert(std::chrono::milliseconds(10));
    std::vector<lt::alert*> alerts;
    leech->pop_alerts(&alerts);
  }
  report("libtorrent's own disk layer", image.torrent.image_size, seconds_since(start),
         cpu_seconds() - cpu);
}

void bench_file(const fs::path& folder, std::uint64_t mib) {
  const std::uint64_t size = mib << 20;
  auto from = std::make_shared<FolderStore>(folder / "seed", size);
  const Image image = fill(*from, size, kPieceSize);
  transfer_ours("our disk layer, one file", image, from,
                std::make_shared<FolderStore>(folder / "leech", size));
  fs::create_directories(folder / "stock");
  fs::rename(folder / "seed" / "0", folder / "seed" / "bench.image");
  transfer_stock(image, folder / "seed", folder / "stock");
}

void bench_tree(const fs::path& folder, std::uint64_t files, std::uint64_t kib) {
  const std::uint64_t file_size = kib << 10;
  const std::uint64_t pieces = (files * file_size + kPieceSize - 1) / kPieceSize;
  const std::uint64_t size = pieces * kPieceSize;
  auto one = std::make_shared<FolderStore>(folder / "one", size);
  const Image image = fill(*one, size, kPieceSize);
  transfer_ours("one file", image, one, std::make_shared<FolderStore>(folder / "one-got", size));
  auto many = std::make_shared<FolderStore>(folder / "many", file_size);
  fill(*many, size, kPieceSize);
  transfer_ours("as many small files", image, many,
                std::make_shared<FolderStore>(folder / "many-got", file_size));
}

void bench_mesh(int clients, std::uint64_t mib, std::uint64_t kib_per_s) {
  const std::uint64_t size = mib << 20;
  const std::uint64_t rate = kib_per_s << 10;
  auto store = std::make_shared<MemoryStore>(size);
  const Image image = fill(*store, size, 64 << 10);
  MainThread main;
  Log log(LogLevel::warning);
  Client seed(2, image, store, true, rate, main, log);
  std::vector<std::unique_ptr<Client>> leeches;
  for (int i = 0; i < clients; ++i)
    leeches.push_back(std::make_unique<Client>(3 + i, image, std::make_shared<MemoryStore>(size),
                                               false, rate, main, log));
  const auto start = Clock::now();
  for (int i = 0; i < clients; ++i)
    for (int other = 2; other < 3 + i; ++other)
      if (!leeches[static_cast<std::size_t>(i)]->swarm->connect_peer(image.torrent.info_hash,
                                                                     address(other), kPort))
        std::abort();
  const auto finished = [&](const auto& leech) {
    return leech->events.done == image.torrent.piece_hashes.size();
  };
  double first = 0;
  main.run_until([&] {
    const auto count = std::ranges::count_if(leeches, finished);
    if (count > 0 && first == 0) first = seconds_since(start);
    return count == clients;
  });
  const double bound = static_cast<double>(size) / static_cast<double>(rate);
  std::printf("%d clients: first after %.2f s, last after %.2f s; bound %.2f s (%.2f times)\n",
              clients, first, seconds_since(start), bound, seconds_since(start) / bound);
}

int usage() {
  std::fprintf(stderr, "usage: swarm_throughput file|tree|mesh [numbers]; see the source\n");
  return 2;
}

int run(int argc, char** argv) {
  if (argc < 2) return usage();
  const auto number = [&](int i, std::uint64_t otherwise) {
    return argc > i ? std::strtoull(argv[i], nullptr, 10) : otherwise;
  };
  const std::string mode = argv[1];
  const fs::path folder = "swarm_throughput." + std::to_string(getpid());
  if (mode == "file")
    bench_file(folder, number(2, 2048));
  else if (mode == "tree")
    bench_tree(folder, number(2, 50'000), number(3, 24));
  else if (mode == "mesh")
    bench_mesh(static_cast<int>(number(2, 6)), number(3, 32), number(4, 2500));
  else
    return usage();
  fs::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) { return shoal::run(argc, argv); }
