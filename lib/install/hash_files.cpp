// A file is hashed range by range: each range of kRangeBytes is a whole subtree of its merkle tree,
// so that ranges of one large file can be hashed by different workers and joined at the end. Reads
// are large and in order; each 16 KiB leaf is hashed in one call.
#include "install/hash_files.hpp"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <bit>

#include "content/merkle.hpp"

namespace shoal::install {
namespace {

constexpr std::uint64_t kRangeBytes = 8ULL << 20;  // enough to amortise an open; 1 s at 8 MB/s
constexpr std::size_t kLeavesPerRange = kRangeBytes / content::kBlockSize;
constexpr unsigned kRangeHeight = std::countr_zero(kLeavesPerRange);
constexpr std::size_t kReadBytes = 1 << 20;  // one read call; also how often a stop is noticed

std::size_t range_count(std::uint64_t size) {
  return std::max<std::size_t>(1, (size + kRangeBytes - 1) / kRangeBytes);
}

// The leaves of [offset, offset + length) as one subtree; `width` leaves wide, or as they come.
Result<Digest> hash_range(int fd, std::uint64_t offset, std::uint64_t length, std::size_t width,
                          std::string_view name, const StopToken& stop) {
  thread_local Bytes buffer(kReadBytes);
  std::vector<Digest> leaves;
  leaves.reserve((length + content::kBlockSize - 1) / content::kBlockSize);
  while (length > 0) {
    SHOAL_TRY(stop.check());
    auto part = MutableByteView(buffer).first(std::min<std::uint64_t>(length, kReadBytes));
    SHOAL_TRY(pread_exact(fd, part, offset, name));
    for (std::size_t at = 0; at < part.size(); at += content::kBlockSize)
      leaves.push_back(
          sha256(part.subspan(at, std::min<std::size_t>(content::kBlockSize, part.size() - at))));
    offset += part.size();
    length -= part.size();
  }
  return content::merkle_root(leaves, width);
}

Digest join_ranges(const std::vector<Digest>& ranges) {
  if (ranges.size() == 1) return ranges.front();
  return content::merkle_root(ranges, 0, content::merkle_pad(kRangeHeight));
}

Result<Digest> hash_one_range(int fd, std::uint64_t size, std::size_t range, std::string_view name,
                              const StopToken& stop) {
  std::uint64_t offset = range * kRangeBytes;
  std::size_t width = range_count(size) > 1 ? kLeavesPerRange : 0;
  return hash_range(fd, offset, std::min(kRangeBytes, size - offset), width, name, stop);
}

// One file's state while several workers hash it.
struct Progress {
  std::vector<Digest> ranges;
  std::optional<FileStamp> stamp;  // of the range that was done first
  bool stamps_differ = false;
  std::optional<Error> error;
};

// The range's digest, and the file's stamp when it stayed the same all the while.
Result<Digest> read_range(const BeneathDir& library, const FileToHash& file, std::size_t range,
                          FileStamp& stamp, const StopToken& stop) {
  SHOAL_ASSIGN(auto fd, library.open_read(file.path));
  SHOAL_ASSIGN(auto before, stamp_of(fd.get(), file.path.text()));
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  SHOAL_ASSIGN(auto digest, hash_one_range(fd.get(), file.size, range, file.path.text(), stop));
  SHOAL_ASSIGN(auto after, stamp_of(fd.get(), file.path.text()));
  stamp = before == after && after.size == file.size ? after : FileStamp{};
  return digest;
}

}  // namespace

Result<Digest> hash_descriptor(int fd, std::uint64_t size, std::string_view name,
                               const StopToken& stop) {
  std::vector<Digest> ranges(range_count(size));
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    SHOAL_ASSIGN(ranges[i], hash_one_range(fd, size, i, name, stop));
  }
  return join_ranges(ranges);
}

Result<Digest> hash_file(const BeneathDir& library, const RelativePath& path,
                         const StopToken& stop) {
  SHOAL_ASSIGN(auto fd, library.open_read(path));
  SHOAL_ASSIGN(auto stamp, stamp_of(fd.get(), path.text()));
  return hash_descriptor(fd.get(), stamp.size, path.text(), stop);
}

std::vector<FileDigest> hash_files(const BeneathDir& library, const std::vector<FileToHash>& files,
                                   WorkerPool& pool, const StopToken& stop,
                                   const std::function<void(std::uint64_t)>& progress) {
  struct Task {
    std::uint32_t file;
    std::uint32_t range;
  };
  std::vector<Task> tasks;
  std::vector<Progress> state(files.size());
  for (std::uint32_t f = 0; f < files.size(); ++f) {
    auto count = static_cast<std::uint32_t>(range_count(files[f].size));
    state[f].ranges.resize(count);
    for (std::uint32_t r = 0; r < count; ++r) tasks.push_back({f, r});
  }
  std::mutex mutex;
  std::atomic<std::uint64_t> bytes_read{0};
  pool.parallel_for(tasks.size(), [&](std::size_t i) {
    auto [f, r] = tasks[i];
    FileStamp stamp;
    auto digest = read_range(library, files[f], r, stamp, stop);
    std::uint64_t length = std::min(kRangeBytes, files[f].size - r * kRangeBytes);
    if (progress) progress(bytes_read += length);
    std::lock_guard lock(mutex);
    if (!digest) {
      state[f].error = std::move(digest.error());
      return;
    }
    state[f].ranges[r] = *digest;
    if (!state[f].stamp) state[f].stamp = stamp;
    if (*state[f].stamp != stamp) state[f].stamps_differ = true;
  });
  std::vector<FileDigest> digests(files.size());
  for (std::size_t f = 0; f < files.size(); ++f) {
    digests[f].error = std::move(state[f].error);
    if (digests[f].error) continue;
    digests[f].root = join_ranges(state[f].ranges);
    if (!state[f].stamps_differ) digests[f].stamp = *state[f].stamp;
  }
  return digests;
}

}  // namespace shoal::install
