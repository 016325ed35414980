// A file is hashed range by range: each range of kRangeBytes is a whole subtree of its merkle tree,
// so that ranges of one large file can be hashed by different workers and joined at the end. Reads
// are large and in order; each 16 KiB leaf is hashed in one call.
#include "install/hash_files.hpp"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <deque>

#include "content/merkle.hpp"
#include "install/stage_files.hpp"

namespace shoal::install {
namespace {

constexpr std::uint64_t kRangeBytes = 8ULL << 20;  // enough to amortise an open; 1 s at 8 MB/s
constexpr std::size_t kLeavesPerRange = kRangeBytes / content::kBlockSize;
constexpr unsigned kRangeHeight = std::countr_zero(kLeavesPerRange);
constexpr std::size_t kReadBytes = 1 << 20;  // one read call; also how often a stop is noticed

std::size_t range_count_of(std::uint64_t size) {
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
  std::size_t width = range_count_of(size) > 1 ? kLeavesPerRange : 0;
  return hash_range(fd, offset, std::min(kRangeBytes, size - offset), width, name, stop);
}

// The range's digest, and the file's stamp when it stayed the same all the while.
Result<Digest> read_range(const BeneathDir& library, const FileToHash& file, std::size_t range,
                          FileStamp& stamp, const StopToken& stop) {
  SHOAL_ASSIGN(auto fd, library.open_read(file.path));
  SHOAL_ASSIGN(auto before, stamp_of(fd.get(), file.path.text()));
  if (file.written_lately) begin_writeback(fd.get(), range * kRangeBytes, kRangeBytes);
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  SHOAL_ASSIGN(auto digest, hash_one_range(fd.get(), file.size, range, file.path.text(), stop));
  SHOAL_ASSIGN(auto after, stamp_of(fd.get(), file.path.text()));
  stamp = before == after && after.size == file.size ? after : FileStamp{};
  return digest;
}

}  // namespace

Result<Digest> hash_descriptor(int fd, std::uint64_t size, std::string_view name,
                               const StopToken& stop) {
  std::vector<Digest> ranges(range_count_of(size));
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

RangedHash::RangedHash(FileToHash file)
    : file_(std::move(file)), roots_(range_count_of(file_.size)), left_(roots_.size()) {}

std::uint64_t RangedHash::range_bytes(std::size_t range) const {
  return std::min(kRangeBytes, file_.size - range * kRangeBytes);
}

bool RangedHash::hash(std::size_t range, const BeneathDir& library, const StopToken& stop) {
  FileStamp stamp;
  auto root = read_range(library, file_, range, stamp, stop);
  std::lock_guard lock(mutex_);
  if (root) {
    roots_[range] = *root;
    if (!stamp_) stamp_ = stamp;
    if (*stamp_ != stamp) stamps_differ_ = true;
  } else {
    error_ = std::move(root.error());
  }
  return --left_ == 0;
}

FileDigest RangedHash::result() const {
  std::lock_guard lock(mutex_);
  FileDigest digest;
  digest.error = error_;
  if (error_) return digest;
  digest.root = join_ranges(roots_);
  if (!stamps_differ_) digest.stamp = stamp_.value_or(FileStamp{});
  return digest;
}

std::vector<FileDigest> hash_files(const BeneathDir& library, const std::vector<FileToHash>& files,
                                   WorkerPool& pool, const StopToken& stop,
                                   const std::function<void(std::uint64_t)>& progress) {
  struct Task {
    std::uint32_t file;
    std::uint32_t range;
  };
  std::vector<Task> tasks;
  std::deque<RangedHash> hashes;  // they cannot be moved
  for (std::uint32_t f = 0; f < files.size(); ++f) {
    const auto& hash = hashes.emplace_back(files[f]);
    for (std::uint32_t r = 0; r < hash.range_count(); ++r) tasks.push_back({f, r});
  }
  std::atomic<std::uint64_t> bytes_read{0};
  pool.parallel_for(tasks.size(), [&](std::size_t i) {
    auto& hash = hashes[tasks[i].file];
    hash.hash(tasks[i].range, library, stop);
    if (progress) progress(bytes_read += hash.range_bytes(tasks[i].range));
  });
  std::vector<FileDigest> digests;
  digests.reserve(files.size());
  for (const auto& hash : hashes) digests.push_back(hash.result());
  return digests;
}

}  // namespace shoal::install
