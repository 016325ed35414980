// Small-file input and output over plain system calls: short reads and EINTR are handled here and
// nowhere else.
#include "base/file.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

namespace shoal {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

FileStamp FileStamp::of(const struct ::stat& status) {
  return {static_cast<std::uint64_t>(status.st_size),
          static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec,
          static_cast<std::uint64_t>(status.st_ino)};
}

Result<FileStamp> stamp_of(int fd, std::string_view name) {
  struct ::stat status{};
  if (::fstat(fd, &status) != 0) return fail(system_error(errno, "examine", name));
  return FileStamp::of(status);
}

Result<void> pread_exact(int fd, MutableByteView out, std::uint64_t offset, std::string_view name) {
  while (!out.empty()) {
    ssize_t count = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error(errno, "read", name));
    if (count == 0) return fail(ErrorKind::io_error, fmt::format("read {}: it is too short", name));
    out = out.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<void> pwrite_all(int fd, ByteView bytes, std::uint64_t offset, std::string_view name) {
  while (!bytes.empty()) {
    ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error(errno, "write", name));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<Bytes> read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  // O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return fail(system_error(errno, "open", path.native()));
  struct ::stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail(system_error(errno, "examine", path.native()));
  if (!S_ISREG(status.st_mode))
    return fail(ErrorKind::unsupported_file_type, fmt::format("read {}: not a file", path.native()),
                "Name a file.");
  FileStamp stamp = FileStamp::of(status);
  if (stamp.size > max_bytes)
    return fail(ErrorKind::too_large, fmt::format("read {}: {} bytes, more than the {} allowed",
                                                  path.native(), stamp.size, max_bytes));
  Bytes bytes(stamp.size);
  SHOAL_TRY(pread_exact(fd.get(), bytes, 0, path.native()));
  return bytes;
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd && errno == EACCES) return {};  // may be written and not read: then it cannot be flushed
  if (!fd) return fail(system_error(errno, "open folder", folder.native()));
  if (::fsync(fd.get()) == 0) return {};
  // File systems, in user space above all, that know no such thing.
  if (errno == EINVAL || errno == ENOTSUP || errno == EBADF || errno == ENOSYS) return {};
  return fail(system_error(errno, "flush folder", folder.native()));
}

Result<void> write_file_atomic(const std::filesystem::path& path, ByteView bytes, ::mode_t mode) {
  std::filesystem::path temporary = path;
  temporary += fmt::format(".tmp.{}", ::gettid());  // one per thread: writers do not meet
  ::unlink(temporary.c_str());                      // left by a killed process; maybe planted
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return fail(system_error(errno, "create", temporary.native()));
  auto written = pwrite_all(fd.get(), bytes, 0, temporary.native());
  if (written && ::fsync(fd.get()) != 0)
    written = fail(system_error(errno, "flush", temporary.native()));
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = fail(system_error(errno, "rename into place", path.native()));
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_folder(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
}

Result<void> make_directories(const std::filesystem::path& path, ::mode_t mode) {
  if (path.empty() || path == "/") return {};
  struct ::stat status{};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return {};
    return fail(system_error(ENOTDIR, "create folder", path.native()));
  }
  if (path.has_parent_path()) SHOAL_TRY(make_directories(path.parent_path(), mode));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    return fail(system_error(errno, "create folder", path.native()));
  return {};
}

}  // namespace shoal
