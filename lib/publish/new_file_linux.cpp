// The file is written under a name of this thread's own beside it, and flushed; then it gets its
// name in one step that fails if there is something. Whoever is killed before leaves the name free.
#include <fcntl.h>
#include <fmt/core.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.hpp"
#include "publish/new_file.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;

bool means_unsupported(int error) {
  return error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EINVAL;
}

// 0, or what errno says.
int claim_and_rename(const fs::path& from, const fs::path& to) {
  UniqueFd claimed(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!claimed) return errno;
  if (::rename(from.c_str(), to.c_str()) == 0) return 0;
  int error = errno;
  ::unlink(to.c_str());
  return error;
}

int name_file(const fs::path& from, const fs::path& to, NamingWay way) {
  switch (way) {
    case NamingWay::link:
      if (::link(from.c_str(), to.c_str()) == 0) return 0;
      if (!means_unsupported(errno)) return errno;
      [[fallthrough]];
    case NamingWay::rename:
      if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0)
        return 0;
      if (!means_unsupported(errno)) return errno;
      [[fallthrough]];
    case NamingWay::claim:
      return claim_and_rename(from, to);
  }
  return EINVAL;
}

}  // namespace

Result<void> write_new_file(const fs::path& path, ByteView bytes, ::mode_t mode, NamingWay first) {
  fs::path temporary = path;
  temporary += fmt::format(".new.{}", ::gettid());  // one per thread: writers do not meet
  SHOAL_TRY(write_file_atomic(temporary, bytes, mode));
  int error = name_file(temporary, path, first);
  ::unlink(temporary.c_str());
  if (error == EEXIST)
    return fail(ErrorKind::conflict, fmt::format("{} is there already", path.native()),
                "Choose another name: nothing is written over.");
  if (error != 0) return fail(system_error(error, "create", path.native()));
  return sync_folder(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

}  // namespace shoal::publish
