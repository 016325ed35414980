// Descriptors that close themselves, and whole-file reads and writes for small files of our own
// (metadata, configuration, keys). Files of a library go through BeneathDir.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// What tells that a file is still the one that was verified (design, section 5): a change of
// content through any ordinary program changes one of these.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::uint64_t inode = 0;

  bool operator==(const FileStamp&) const = default;
  static FileStamp of(const struct ::stat& status);
};

Result<FileStamp> stamp_of(int fd, std::string_view name_for_errors);

// Reads exactly out.size() bytes at the offset. Errors: io_error (also when the file is shorter).
Result<void> pread_exact(int fd, MutableByteView out, std::uint64_t offset,
                         std::string_view name_for_errors);
Result<void> pwrite_all(int fd, ByteView bytes, std::uint64_t offset,
                        std::string_view name_for_errors);

// Errors: not_found, too_large when the file has more than max_bytes, unsupported_file_type (a
// folder, a FIFO: never waited for), io_error.
Result<Bytes> read_file(const std::filesystem::path& path, std::uint64_t max_bytes);
// What was created, renamed or removed in the folder is so after a power cut, too, where the file
// system can do that.
Result<void> sync_folder(const std::filesystem::path& folder);

// Replaces the file as one step: temporary file beside it, fsync, rename, fsync of the folder.
Result<void> write_file_atomic(const std::filesystem::path& path, ByteView bytes,
                               ::mode_t mode = 0644);
// mkdir -p. Errors: io_error, not_allowed, read_only.
Result<void> make_directories(const std::filesystem::path& path, ::mode_t mode = 0755);

}  // namespace shoal
