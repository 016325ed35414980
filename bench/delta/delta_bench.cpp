// Encodes one tree from another with the codec alone, decodes in a process of its own, compares
// every byte, and prints what the delta holds, the seconds and the peak memory of both. Files are
// taken in order of their paths; names, modes and links are not part of what is measured.
//
//   delta_bench OLD NEW [--delta FILE] [--memory-mb N] [--threads N]
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>

#include "base/worker_pool.hpp"
#include "delta/decode.hpp"
#include "delta/encode.hpp"

namespace shoal::delta {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void die(const std::string& why) {
  std::cerr << "delta_bench: " << why << "\n";
  std::exit(1);
}

// An open file, read by offset and, for the encoder, mapped.
class OpenFile final : public ByteSource {
 public:
  explicit OpenFile(const fs::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat status{};
    if (fd_ < 0 || ::fstat(fd_, &status) != 0) die("cannot open " + path.string());
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
  OpenFile(OpenFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        size_(other.size_),
        map_(std::exchange(other.map_, {})) {}
  OpenFile& operator=(OpenFile&&) = delete;
  ~OpenFile() override {
    if (!map_.empty()) ::munmap(const_cast<std::uint8_t*>(map_.data()), map_.size());
    if (fd_ >= 0) ::close(fd_);
  }

  std::uint64_t size() const override { return size_; }
  Result<void> read(std::uint64_t offset, MutableByteView out) const override {
    while (!out.empty()) {
      const ssize_t got = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
      if (got <= 0) return fail(ErrorKind::io_error, "cannot read an old file");
      out = out.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
    return {};
  }
  ByteView map() {
    if (map_.empty() && size_ > 0) {
      void* at = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd_, 0);
      if (at == MAP_FAILED) die("cannot map a file");
      map_ = {static_cast<const std::uint8_t*>(at), size_};
    }
    return map_;
  }

 private:
  int fd_;
  std::uint64_t size_ = 0;
  ByteView map_;
};

std::vector<OpenFile> open_tree(const fs::path& root) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_regular_file() && !entry.is_symlink()) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  std::vector<OpenFile> files;
  files.reserve(paths.size());
  for (const auto& path : paths) files.emplace_back(path);
  return files;
}

// Of this process since it began. (Mapped files count as memory while they are looked at.)
std::string usage_line() {
  std::ifstream status("/proc/self/status");
  std::string line, text;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM")) text = std::to_string(std::atol(line.c_str() + 6) / 1024);
  }
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  char processor[32];
  std::snprintf(processor, sizeof processor, "%.2f s of processor, ", cpu);
  return processor + text + " MB";
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int decode_main(const fs::path& old_root, const fs::path& new_root, const fs::path& delta_path) {
  const auto start = std::chrono::steady_clock::now();
  const auto old_files = open_tree(old_root);
  const auto new_files = open_tree(new_root);
  std::ifstream delta(delta_path, std::ios::binary);
  std::vector<const ByteSource*> sources;
  sources.reserve(old_files.size());
  for (const auto& file : old_files) sources.push_back(&file);
  std::vector<std::uint64_t> sizes;
  std::uint64_t whole = 0;
  for (const auto& file : new_files) whole += sizes.emplace_back(file.size());
  std::atomic<std::uint64_t> made = 0;
  WorkerPool workers(1);
  DecodeOptions options;
  options.workers = &workers;
  options.read = [&](MutableByteView out) -> Result<void> {
    delta.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
    if (!delta) return fail(ErrorKind::io_error, "the delta ends early");
    return {};
  };
  options.write = [&](std::size_t file, std::uint64_t offset, ByteView bytes) -> Result<void> {
    Bytes expected(bytes.size());
    SHOAL_TRY(new_files[file].read(offset, expected));
    if (!std::ranges::equal(expected, bytes)) return fail(ErrorKind::internal, "a wrong byte");
    made += bytes.size();
    return {};
  };
  const auto done = decode(sources, sizes, options);
  if (!done) die(done.error().describe());
  if (made != whole) die("bytes are missing");
  std::printf("decode  %.2f s, %s, every byte right\n", seconds_since(start), usage_line().c_str());
  return 0;
}

int run_decoder(const char* old_root, const char* new_root, const std::string& delta) {
  std::fflush(stdout);
  const char* arguments[] = {"delta_bench", "--decode", old_root, new_root, delta.c_str(), nullptr};
  pid_t child = 0;
  if (posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, const_cast<char**>(arguments),
                  environ) != 0) {
    die("cannot start the decoder");
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int encode_main(int argc, char** argv) {
  std::string delta_path = "/tmp/delta_bench." + std::to_string(::getpid());
  bool keep = false;
  unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  EncodeOptions options;
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--delta") {
      delta_path = argv[i + 1];
      keep = true;
    } else if (name == "--memory-mb") {
      options.memory_bytes = std::strtoull(argv[i + 1], nullptr, 10) << 20;
    } else if (name == "--threads") {
      threads = std::max(1U, static_cast<unsigned>(std::strtoul(argv[i + 1], nullptr, 10)));
    } else {
      die("unknown option " + name);
    }
  }
  WorkerPool workers(std::max(1U, threads - 1));  // the calling thread works, too
  if (threads > 1) options.workers = &workers;
  const auto start = std::chrono::steady_clock::now();
  auto old_files = open_tree(argv[1]);
  auto new_files = open_tree(argv[2]);
  std::vector<ByteView> old_views, new_views;
  for (auto& file : old_files) old_views.push_back(file.map());
  for (auto& file : new_files) new_views.push_back(file.map());
  std::ofstream delta(delta_path, std::ios::binary);
  options.write = [&](ByteView bytes) -> Result<void> {
    delta.write(reinterpret_cast<const char*>(bytes.data()),
                static_cast<std::streamsize>(bytes.size()));
    return {};
  };
  const auto made = encode(old_views, new_views, options);
  if (!made) die(made.error().describe());
  delta.close();
  std::printf("delta   %llu B\n", static_cast<unsigned long long>(made->delta_bytes));
  std::printf("encode  %.2f s, %s\n", seconds_since(start), usage_line().c_str());
  const auto print = [](const char* name, std::uint64_t value) {
    std::printf("  %-26s %12llu\n", name, static_cast<unsigned long long>(value));
  };
  print("equal bytes", made->equal_bytes);
  print("literal bytes", made->literal_bytes);
  print("differing bytes", made->difference_bytes);
  print("reference bytes", made->reference_bytes);
  print("wrong references", made->wrong_references);
  print("covers", made->covers);
  constexpr std::array kStreams = {"plan",
                                   "literals",
                                   "reference gaps",
                                   "reference errors",
                                   "difference gaps",
                                   "difference values"};
  for (std::size_t i = 0; i < kStreams.size(); ++i) {
    print((std::string("packed ") + kStreams[i]).c_str(), made->stream_bytes[i]);
  }
  const int status = run_decoder(argv[1], argv[2], delta_path);
  if (!keep) fs::remove(delta_path);
  return status;
}

}  // namespace
}  // namespace shoal::delta

int main(int argc, char** argv) {
  if (argc == 5 && std::string(argv[1]) == "--decode") {
    return shoal::delta::decode_main(argv[2], argv[3], argv[4]);
  }
  if (argc < 3) {
    std::cerr << "usage: delta_bench OLD NEW [--delta FILE] [--memory-mb N] [--threads N]\n";
    return 2;
  }
  return shoal::delta::encode_main(argc, argv);
}
