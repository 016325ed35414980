// A file is hashed range by range, those of a large one by different workers. Reads are large and
// in order.
#include "install/hash_files.hpp"

#include <fcntl.h>

#include <atomic>
#include <deque>

#include "content/file_ranges.hpp"
#include "install/stage_files.hpp"

namespace shoal::install {
namespace {

using content::FileRanges;

Result<Digest> hash_one_range(int fd, std::uint64_t size, std::size_t range, std::string_view name,
                              const StopToken& stop) {
  return FileRanges(size).hash(range,
                               [&](std::uint64_t offset, MutableByteView out) -> Result<void> {
                                 SHOAL_TRY(stop.check());
                                 return pread_exact(fd, out, offset, name);
                               });
}

// The range's digest, and the file's stamp when it stayed the same all the while.
Result<Digest> read_range(const BeneathDir& library, const FileToHash& file, std::size_t range,
                          FileStamp& stamp, const StopToken& stop) {
  SHOAL_ASSIGN(auto fd, library.open_read(file.path));
  SHOAL_ASSIGN(auto before, stamp_of(fd.get(), file.path.text()));
  if (file.written_lately)
    begin_writeback(fd.get(), FileRanges(file.size).begin(range), FileRanges::kBytes);
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  SHOAL_ASSIGN(auto digest, hash_one_range(fd.get(), file.size, range, file.path.text(), stop));
  SHOAL_ASSIGN(auto after, stamp_of(fd.get(), file.path.text()));
  stamp = before == after && after.size == file.size ? after : FileStamp{};
  return digest;
}

}  // namespace

Result<Digest> hash_descriptor(int fd, std::uint64_t size, std::string_view name,
                               const StopToken& stop) {
  const FileRanges in(size);
  std::vector<Digest> ranges(in.count());
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    SHOAL_ASSIGN(ranges[i], hash_one_range(fd, size, i, name, stop));
  }
  return in.join(ranges);
}

Result<Digest> hash_file(const BeneathDir& library, const RelativePath& path,
                         const StopToken& stop) {
  SHOAL_ASSIGN(auto fd, library.open_read(path));
  SHOAL_ASSIGN(auto stamp, stamp_of(fd.get(), path.text()));
  return hash_descriptor(fd.get(), stamp.size, path.text(), stop);
}

RangedHash::RangedHash(FileToHash file)
    : file_(std::move(file)), roots_(FileRanges(file_.size).count()), left_(roots_.size()) {}

std::uint64_t RangedHash::range_bytes(std::size_t range) const {
  return FileRanges(file_.size).length(range);
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
  digest.root = FileRanges(file_.size).join(roots_);
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
