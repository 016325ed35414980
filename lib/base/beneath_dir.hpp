// Every access under a library goes through one of these: a directory handle that no path can
// leave and no symbolic link can redirect, even when a folder is swapped for a link meanwhile.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/relative_path.hpp"

namespace shoal {

enum class EntryType { file, directory, symlink, other };

struct EntryStatus {
  EntryType type = EntryType::other;
  FileStamp stamp;
  bool executable = false;  // the owner's bit
  std::uint64_t links = 1;
};

// Thread-safe: holds one descriptor and no other state. All errors name the path; an intermediate
// symbolic link or a path that leaves gives path_invalid.
class BeneathDir {
 public:
  // Opens an existing directory; this one path may lead through links (the user chose it).
  static Result<BeneathDir> open(const std::filesystem::path& directory);
  // A handle to a directory beneath this one.
  Result<BeneathDir> sub(const RelativePath& path) const;

  // The file must be a regular file: a FIFO or device that was planted is refused, without
  // blocking on it. Links are not followed.
  Result<UniqueFd> open_read(const RelativePath& path) const;
  Result<UniqueFd> open_write(const RelativePath& path) const;  // existing file, read and write
  // Creates parents as needed. A file, link or FIFO that is there: conflict, or with `truncate`
  // it is replaced by a new file (whatever else has it open or linked keeps it).
  Result<UniqueFd> create(const RelativePath& path, bool executable, bool truncate = false) const;

  Result<EntryStatus> status(const RelativePath& path) const;  // of the link itself; not_found
  bool exists(const RelativePath& path) const;
  // mkdir -p. Errors: conflict when a file is in the place of one of the folders.
  Result<void> make_dirs(const RelativePath& path) const;
  Result<void> make_parents(const RelativePath& path) const;
  // Replaces the target if it is a file or link. Both within this handle.
  Result<void> rename(const RelativePath& from, const RelativePath& to) const;
  // Hard link; not_allowed or io_error where the file system has none.
  Result<void> hard_link(const RelativePath& from, const RelativePath& to) const;
  Result<void> symlink(std::string_view target, const RelativePath& path) const;
  Result<std::string> read_link(const RelativePath& path) const;
  Result<void> set_executable(const RelativePath& path, bool executable) const;
  Result<void> unlink(const RelativePath& path) const;  // file or link; not_found
  Result<void> remove_empty_dir(
      const RelativePath& path) const;  // not_found, conflict if not empty
  // Everything beneath and the directory itself, never through a link. Absent: nothing to do.
  Result<void> remove_all(const RelativePath& path) const;
  // Names in the directory ("" for this one), sorted, without "." and "..".
  Result<std::vector<std::string>> list(std::string_view path) const;

  Result<std::uint64_t> free_bytes() const;  // for an unprivileged user
  Result<void> sync() const;                 // syncfs: everything written here is on the disk after

  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }  // for messages

 private:
  BeneathDir(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  Result<UniqueFd> open_at(std::string_view path, int flags, ::mode_t mode = 0) const;
  Result<UniqueFd> open_parent(const RelativePath& path) const;
  std::string shown(std::string_view path) const;

  UniqueFd fd_;
  std::string name_;
};

}  // namespace shoal
