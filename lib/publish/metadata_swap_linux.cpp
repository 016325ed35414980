// renameat2(RENAME_EXCHANGE) lets two folders change places: what was staged is in force, and what
// was in force is where the next publisher clears it away. The links make the staging cheap: files
// of metadata are replaced by renaming and never written to, so both folders may share them.
#include <fcntl.h>
#include <fmt/core.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.hpp"
#include "publish/cleanup.hpp"
#include "publish/metadata_swap.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;

bool means_unsupported(int error) {
  return error == EINVAL || error == ENOSYS || error == EXDEV || error == EOPNOTSUPP ||
         error == EPERM || error == EMLINK;
}

std::unexpected<Error> failed(int error, const char* action, const fs::path& path) {
  Error out = system_error(error, action, path.native());
  if (!means_unsupported(error)) return std::unexpected(std::move(out));
  return fail(ErrorKind::not_allowed,
              out.message + ": this file system cannot replace a folder as one step",
              "Make two roots of it instead: one that adds the new key, and when something was "
              "signed with it, one that removes the old.");
}

Result<void> make_like(const fs::path& staged, const fs::path& folder) {
  struct ::stat status{};
  if (::stat(folder.c_str(), &status) != 0) return failed(errno, "look at", folder);
  if (::mkdir(staged.c_str(), 0700) != 0) return failed(errno, "create", staged);
  // The group first: it may take setgid away. A publisher that does not own the folder keeps its
  // own.
  static_cast<void>(::chown(staged.c_str(), static_cast<::uid_t>(-1), status.st_gid));
  if (::chmod(staged.c_str(), status.st_mode & 07777) != 0)
    return failed(errno, "set the mode of", staged);
  return {};
}

}  // namespace

Result<void> remove_staged_metadata(const Layout& layout) {
  std::error_code error;
  fs::remove_all(layout.staged_metadata(), error);
  if (error) return failed(error.value(), "remove", layout.staged_metadata());
  return {};
}

Result<void> swap_metadata(const Layout& layout, const std::vector<MetadataFile>& files,
                           const WriteFile& write, const BeforeChange& before_change) {
  // Where the folder is a link to another place, the one it leads to is replaced, and beside it.
  std::error_code error;
  const fs::path folder = fs::canonical(layout.metadata(), error);
  if (error) return failed(error.value(), "look at", layout.metadata());
  if (folder.parent_path() != fs::canonical(layout.root(), error))
    return failed(EXDEV, "replace", layout.metadata());
  const fs::path staged = layout.staged_metadata();
  SHOAL_TRY(before_change());
  SHOAL_TRY(remove_staged_metadata(layout));
  SHOAL_TRY(before_change());
  SHOAL_TRY(make_like(staged, folder));
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_temporary_name(entry->path().filename())) continue;
    SHOAL_TRY(before_change());
    auto there = staged / entry->path().filename();
    if (::link(entry->path().c_str(), there.c_str()) != 0) return failed(errno, "link", there);
  }
  if (error) return failed(error.value(), "list", folder);
  for (const auto& file : files) SHOAL_TRY(write(staged / file.name, file.bytes));
  SHOAL_TRY(before_change());
  if (::renameat2(AT_FDCWD, staged.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) != 0)
    return failed(errno, "replace", folder);
  UniqueFd parent(::open(layout.root().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent) ::fsync(parent.get());
  SHOAL_TRY(before_change());
  return remove_staged_metadata(layout);
}

}  // namespace shoal::publish
