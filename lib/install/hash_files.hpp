// Private to install: merkle roots of files on the disk.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "base/beneath_dir.hpp"
#include "base/sha256.hpp"
#include "base/stop_token.hpp"
#include "base/worker_pool.hpp"

namespace shoal::install {

// The root of the first `size` bytes. Errors: io_error (also when the file is shorter), cancelled.
Result<Digest> hash_descriptor(int fd, std::uint64_t size, std::string_view name_for_errors,
                               const StopToken& stop);
// Opens and hashes a whole file, whatever its size is.
Result<Digest> hash_file(const BeneathDir& library, const RelativePath& path,
                         const StopToken& stop);

struct FileToHash {
  RelativePath path;
  std::uint64_t size = 0;
  bool written_lately = false;  // its bytes are sent on to the disk while they are hashed
};
struct FileDigest {
  Digest root;
  FileStamp stamp;             // the same before and after the reading; zero: it changed meanwhile
  std::optional<Error> error;  // then nothing else counts
};

// One file, hashed range by range by whoever has the time. Thread-safe.
class RangedHash {
 public:
  explicit RangedHash(FileToHash file);

  std::size_t range_count() const { return roots_.size(); }
  std::uint64_t range_bytes(std::size_t range) const;
  // Opens the file anew for each range. True: that was the last one, and result() is complete.
  bool hash(std::size_t range, const BeneathDir& library, const StopToken& stop);
  FileDigest result() const;

 private:
  const FileToHash file_;
  mutable std::mutex mutex_;   // guards what follows
  std::vector<Digest> roots_;  // by range; their number never changes
  std::size_t left_;
  std::optional<FileStamp> stamp_;  // of the range that was done first
  bool stamps_differ_ = false;
  std::optional<Error> error_;
};

// All of them, in parallel over files and over ranges of large files. `progress` is called with
// the bytes read so far, from any worker.
std::vector<FileDigest> hash_files(const BeneathDir& library, const std::vector<FileToHash>& files,
                                   WorkerPool& pool, const StopToken& stop,
                                   const std::function<void(std::uint64_t)>& progress = {});

}  // namespace shoal::install
