// BeneathDir on Linux: openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
// and where the kernel lacks that call (before 5.6, or seccomp), a walk component by component with
// O_NOFOLLOW. Operations on a name are done on its parent's descriptor, so the name's last
// component is never followed either.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/openat2.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "base/beneath_dir.hpp"

namespace shoal {
namespace {

constexpr int kMaxRemoveDepth = 256;  // deeper than any path of ours; bounds the recursion
constexpr int kMaxRaces = 16;         // renames elsewhere in the tree that one open puts up with

int openat2_beneath(int fd, const char* path, int flags, ::mode_t mode) {
  ::open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, fd, path, &how, sizeof how));
}

// openat that says ELOOP for a link, as openat2 does, where O_DIRECTORY makes it ENOTDIR.
int openat_no_link(int fd, const char* name, int flags, ::mode_t mode) {
  int opened = ::openat(fd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
  if (opened >= 0 || errno != ENOTDIR) return opened;
  struct ::stat status{};
  bool link = ::fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
  errno = link ? ELOOP : ENOTDIR;
  return -1;
}

// The fallback: no component may be a link, and RelativePath has no "..".
int open_by_walking(int fd, std::string_view path, int flags, ::mode_t mode) {
  UniqueFd current;
  int at = fd;
  while (true) {
    auto slash = path.find('/');
    std::string component(path.substr(0, slash));
    if (slash == std::string_view::npos) return openat_no_link(at, component.c_str(), flags, mode);
    int next = openat_no_link(at, component.c_str(), O_PATH | O_DIRECTORY, 0);
    if (next < 0) return -1;
    current.reset(next);
    at = next;
    path.remove_prefix(slash + 1);
  }
}

EntryType type_of(::mode_t mode) {
  if (S_ISREG(mode)) return EntryType::file;
  if (S_ISDIR(mode)) return EntryType::directory;
  if (S_ISLNK(mode)) return EntryType::symlink;
  return EntryType::other;
}

Result<std::vector<std::string>> read_names(int fd, std::string_view shown) {
  ::DIR* stream = ::fdopendir(fd);  // owns fd from here on
  if (stream == nullptr) {
    int error = errno;
    ::close(fd);
    return fail(system_error(error, "list", shown));
  }
  std::vector<std::string> names;
  errno = 0;
  while (const ::dirent* entry = ::readdir(stream)) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  int error = errno;
  ::closedir(stream);
  if (error != 0) return fail(system_error(error, "list", shown));
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> remove_tree(int parent, const char* name, int depth, std::string_view shown) {
  if (depth > kMaxRemoveDepth)
    return fail(ErrorKind::too_large, fmt::format("remove {}: folders nest too deeply", shown));
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return fail(system_error(errno, "remove", shown));
  UniqueFd fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail(system_error(errno, "remove", shown));
  SHOAL_ASSIGN(auto names, read_names(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0), shown));
  for (const auto& child : names)
    SHOAL_TRY(remove_tree(fd.get(), child.c_str(), depth + 1, fmt::format("{}/{}", shown, child)));
  if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
    return fail(system_error(errno, "remove", shown));
  return {};
}

std::string last_component(const RelativePath& path) { return std::string(path.name()); }

}  // namespace

Result<BeneathDir> BeneathDir::open(const std::filesystem::path& directory) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail(system_error(errno, "open folder", directory.native()));
  return BeneathDir(std::move(fd), directory.native());
}

std::string BeneathDir::shown(std::string_view path) const {
  return fmt::format("{}/{}", name_, path);
}

Result<UniqueFd> BeneathDir::open_at(std::string_view path, int flags, ::mode_t mode) const {
  std::string text(path);
  int fd = -1;
  // EAGAIN: something in the tree was renamed during the walk; the kernel asks to try again.
  for (int attempt = 0; attempt < kMaxRaces; ++attempt) {
    fd = openat2_beneath(fd_.get(), text.c_str(), flags, mode);
    if (fd >= 0 || errno != EAGAIN) break;
  }
  // EPERM: how some container runtimes refuse calls that they do not know. If it was the file's,
  // walking says so once more.
  if (fd < 0 && (errno == ENOSYS || errno == EPERM))
    fd = open_by_walking(fd_.get(), text, flags, mode);
  if (fd < 0) return fail(system_error(errno, "open", shown(path)));
  return UniqueFd(fd);
}

Result<UniqueFd> BeneathDir::open_parent(const RelativePath& path) const {
  auto parent = path.parent();
  if (!parent.empty()) return open_at(parent, O_PATH | O_DIRECTORY);
  UniqueFd fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));  // no walk: it is this one
  if (!fd) return fail(system_error(errno, "open", name_));
  return fd;
}

Result<BeneathDir> BeneathDir::sub(const RelativePath& path) const {
  SHOAL_ASSIGN(auto fd, open_at(path.text(), O_RDONLY | O_DIRECTORY));
  return BeneathDir(std::move(fd), shown(path.text()));
}

Result<UniqueFd> BeneathDir::open_read(const RelativePath& path) const {
  SHOAL_ASSIGN(auto fd, open_at(path.text(), O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct ::stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail(system_error(errno, "open", shown(path.text())));
  if (!S_ISREG(status.st_mode))
    return fail(ErrorKind::unsupported_file_type,
                fmt::format("open {}: not a file", shown(path.text())));
  return fd;
}

Result<UniqueFd> BeneathDir::open_write(const RelativePath& path) const {
  SHOAL_ASSIGN(auto fd, open_at(path.text(), O_RDWR | O_NONBLOCK | O_NOCTTY));
  struct ::stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail(system_error(errno, "open", shown(path.text())));
  if (!S_ISREG(status.st_mode))
    return fail(ErrorKind::unsupported_file_type,
                fmt::format("open {}: not a file", shown(path.text())));
  return fd;
}

Result<UniqueFd> BeneathDir::create(const RelativePath& path, bool executable,
                                    bool truncate) const {
  // A new file in place of the old one, rather than the old one emptied: it may be a FIFO, or have
  // another name elsewhere.
  if (truncate)
    if (auto removed = unlink(path); !removed && removed.error().kind != ErrorKind::not_found)
      return fail(removed.error());
  auto open_new = [&] {
    return open_at(path.text(), O_RDWR | O_CREAT | O_EXCL, executable ? 0755 : 0644);
  };
  auto fd = open_new();
  if (fd) return fd;  // the folder is mostly there
  if (!exists(path)) {
    SHOAL_TRY(make_parents(path));
    fd = open_new();
  }
  if (!fd && exists(path))
    return fail(ErrorKind::conflict, fmt::format("create {}: it exists", shown(path.text())));
  return fd;
}

Result<EntryStatus> BeneathDir::status(const RelativePath& path) const {
  SHOAL_ASSIGN(auto parent, open_parent(path));
  struct ::stat found{};
  if (::fstatat(parent.get(), last_component(path).c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0)
    return fail(system_error(errno, "examine", shown(path.text())));
  return EntryStatus{type_of(found.st_mode), FileStamp::of(found), (found.st_mode & S_IXUSR) != 0,
                     static_cast<std::uint64_t>(found.st_nlink)};
}

bool BeneathDir::exists(const RelativePath& path) const { return status(path).has_value(); }

Result<void> BeneathDir::make_dirs(const RelativePath& path) const {
  if (auto there = status(path); there && there->type == EntryType::directory) return {};
  if (!path.parent().empty()) SHOAL_TRY(make_parents(path));
  SHOAL_ASSIGN(auto parent, open_parent(path));
  if (::mkdirat(parent.get(), last_component(path).c_str(), 0755) == 0) return {};
  int error = errno;
  auto there = status(path);
  if (error == EEXIST && there) {
    if (there->type == EntryType::directory) return {};
    if (there->type == EntryType::symlink)
      error = ELOOP;
    else
      return fail(ErrorKind::conflict,
                  fmt::format("create folder {}: a file is in its place", shown(path.text())),
                  "Move the file away.");
  }
  return fail(system_error(error, "create folder", shown(path.text())));
}

Result<void> BeneathDir::make_parents(const RelativePath& path) const {
  if (path.parent().empty()) return {};
  SHOAL_ASSIGN(auto parent, RelativePath::parse(path.parent()));
  return make_dirs(parent);
}

Result<void> BeneathDir::rename(const RelativePath& from, const RelativePath& to) const {
  SHOAL_ASSIGN(auto from_parent, open_parent(from));
  SHOAL_ASSIGN(auto to_parent, open_parent(to));
  if (::renameat(from_parent.get(), last_component(from).c_str(), to_parent.get(),
                 last_component(to).c_str()) != 0)
    return fail(
        system_error(errno, "rename", fmt::format("{} to {}", shown(from.text()), to.text())));
  return {};
}

Result<void> BeneathDir::hard_link(const RelativePath& from, const RelativePath& to) const {
  SHOAL_ASSIGN(auto from_parent, open_parent(from));
  SHOAL_ASSIGN(auto to_parent, open_parent(to));
  if (::linkat(from_parent.get(), last_component(from).c_str(), to_parent.get(),
               last_component(to).c_str(), 0) != 0)
    return fail(
        system_error(errno, "link", fmt::format("{} to {}", shown(from.text()), to.text())));
  return {};
}

Result<void> BeneathDir::symlink(std::string_view target, const RelativePath& path) const {
  SHOAL_TRY(make_parents(path));
  SHOAL_ASSIGN(auto parent, open_parent(path));
  if (::symlinkat(std::string(target).c_str(), parent.get(), last_component(path).c_str()) != 0)
    return fail(system_error(errno, "create link", shown(path.text())));
  return {};
}

Result<std::string> BeneathDir::read_link(const RelativePath& path) const {
  SHOAL_ASSIGN(auto parent, open_parent(path));
  std::string target(PATH_MAX, '\0');
  ssize_t length =
      ::readlinkat(parent.get(), last_component(path).c_str(), target.data(), target.size());
  if (length < 0) return fail(system_error(errno, "read link", shown(path.text())));
  target.resize(static_cast<std::size_t>(length));
  return target;
}

Result<void> BeneathDir::set_executable(const RelativePath& path, bool executable) const {
  SHOAL_ASSIGN(auto fd, open_read(path));
  if (::fchmod(fd.get(), executable ? 0755 : 0644) != 0)
    return fail(system_error(errno, "change the mode of", shown(path.text())));
  return {};
}

Result<void> BeneathDir::unlink(const RelativePath& path) const {
  SHOAL_ASSIGN(auto parent, open_parent(path));
  if (::unlinkat(parent.get(), last_component(path).c_str(), 0) != 0)
    return fail(system_error(errno, "remove", shown(path.text())));
  return {};
}

Result<void> BeneathDir::remove_empty_dir(const RelativePath& path) const {
  SHOAL_ASSIGN(auto parent, open_parent(path));
  if (::unlinkat(parent.get(), last_component(path).c_str(), AT_REMOVEDIR) == 0) return {};
  if (errno == ENOTEMPTY || errno == EEXIST)
    return fail(ErrorKind::conflict,
                fmt::format("remove folder {}: not empty", shown(path.text())));
  return fail(system_error(errno, "remove folder", shown(path.text())));
}

Result<void> BeneathDir::remove_all(const RelativePath& path) const {
  auto parent = open_parent(path);
  if (!parent) {
    if (parent.error().kind == ErrorKind::not_found) return {};
    return fail(parent.error());
  }
  return remove_tree(parent->get(), last_component(path).c_str(), 0, shown(path.text()));
}

Result<std::vector<std::string>> BeneathDir::list(std::string_view path) const {
  SHOAL_ASSIGN(auto fd, open_at(path.empty() ? "." : path, O_RDONLY | O_DIRECTORY));
  return read_names(fd.release(), shown(path));
}

Result<std::uint64_t> BeneathDir::free_bytes() const {
  struct ::statvfs status{};
  if (::fstatvfs(fd_.get(), &status) != 0)
    return fail(system_error(errno, "ask for the free space of", name_));
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

Result<void> BeneathDir::sync() const {
  if (::syncfs(fd_.get()) != 0) return fail(system_error(errno, "flush", name_));
  return {};
}

}  // namespace shoal
