// Staged files: hard links for moves, reflinks or copies for copies, sized empty files for the
// rest. Whatever an earlier run, or anyone else, left at a staged path is used only if it is a
// plain file of the right size that nothing else links to: a link to an installed file is never
// written.
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "install/look.hpp"
#include "install/stage_files.hpp"

namespace shoal::install {
namespace {

// Space for larger files is taken at once, so that a full disk shows before the download; for
// smaller ones that would cost more than it tells.
constexpr std::uint64_t kPreallocateFrom = 1 << 20;
constexpr std::size_t kCopyBytes = 4 << 20;  // between two looks at the stop token

Result<void> set_size(int fd, std::uint64_t size, bool take_room, std::string_view name) {
  if (take_room && size >= kPreallocateFrom) {
    int error = 0;
    do {
      error = ::fallocate(fd, 0, 0, static_cast<off_t>(size)) == 0 ? 0 : errno;
    } while (error == EINTR);
    if (error == 0) return {};
    if (error != EOPNOTSUPP && error != ENOSYS)
      return fail(system_error(error, "make room for", name));
  }
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0)
    return fail(system_error(errno, "set the size of", name));
  return {};
}

// Through the kernel where it can, by hand otherwise. Returns the bytes copied in `length`.
Result<std::uint64_t> copy_part(int from, int to, std::uint64_t offset, std::uint64_t length,
                                std::string_view name) {
  auto in = static_cast<off64_t>(offset);
  auto out = in;
  ssize_t count = ::copy_file_range(from, &in, to, &out, length, 0);
  if (count > 0) return static_cast<std::uint64_t>(count);
  if (count < 0 && errno == ENOSPC) return fail(system_error(errno, "copy to", name));
  Bytes buffer(length);
  SHOAL_TRY(pread_exact(from, buffer, offset, name));
  SHOAL_TRY(pwrite_all(to, buffer, offset, name));
  return length;
}

}  // namespace

bool can_clone(const BeneathDir& library) {
  auto unnamed = [&] {
    return UniqueFd(::openat(library.fd(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  };
  auto from = unnamed();
  auto to = unnamed();
  return from && to && ::ioctl(to.get(), FICLONE, from.get()) == 0;
}

void begin_writeback(int fd, std::uint64_t offset, std::uint64_t length) {
  ::sync_file_range(fd, static_cast<off64_t>(offset), static_cast<off64_t>(length),
                    SYNC_FILE_RANGE_WRITE);
}

FileStager::FileStager(const BeneathDir& library, const Plan& plan, std::uint32_t component,
                       RelativePath staging, const StopToken& stop)
    : library_(library),
      plan_(plan),
      component_(component),
      staging_(std::move(staging)),
      stop_(stop) {}

const content::FileEntry& FileStager::entry(FileIndex file) const {
  return plan_.components[component_].target.component->files[file.value()];
}
const FilePlan& FileStager::planned(FileIndex file) const {
  return plan_.components[component_].files[file.value()];
}
RelativePath FileStager::staged_path(FileIndex file) const {
  return entry(file).path.beneath(staging_);
}
RelativePath FileStager::old_path(FileIndex file) const {
  const auto& installed = plan_.installed[planned(file).old_component];
  return installed.component->files[planned(file).old_file.value()].path.beneath(plan_.folder);
}
const FileStamp& FileStager::old_stamp(FileIndex file) const {
  return plan_.installed[planned(file).old_component].stamps[planned(file).old_file.value()];
}

// False: this file system has no hard links (or no more of them for this file).
Result<bool> FileStager::link(FileIndex file) const {
  auto path = staged_path(file);
  SHOAL_ASSIGN(auto there, look(library_, path));
  if (there && there->type == EntryType::file && there->stamp == old_stamp(file)) return true;
  if (there) SHOAL_TRY(library_.remove_all(path));
  SHOAL_TRY(library_.make_parents(path));
  auto linked = library_.hard_link(old_path(file), path);
  if (!linked) switch (linked.error().kind) {
      case ErrorKind::not_allowed:  // EPERM: no hard links here, or protected_hardlinks
      case ErrorKind::io_error:     // EMLINK, EOPNOTSUPP
        return false;
      default:
        return fail(std::move(linked.error()));
    }
  SHOAL_ASSIGN(auto made, library_.status(path));
  if (made.type == EntryType::file && made.stamp == old_stamp(file)) return true;
  SHOAL_TRY(library_.unlink(path));
  return fail(ErrorKind::conflict,
              fmt::format("{} has changed since the update was planned", old_path(file).text()));
}

// True: it was there already, of the right size. A copy's room is taken by copy_bytes(), if it
// needs any.
Result<bool> FileStager::make_file(FileIndex file) const {
  auto path = staged_path(file);
  auto fd = library_.create(path, entry(file).executable);
  if (!fd && fd.error().kind != ErrorKind::conflict) return fail(std::move(fd.error()));
  if (!fd) {
    SHOAL_ASSIGN(auto there, look(library_, path));
    if (there && there->type == EntryType::file && there->links == 1 &&
        there->stamp.size == entry(file).size) {
      if (there->executable != entry(file).executable)
        SHOAL_TRY(library_.set_executable(path, entry(file).executable));
      return true;
    }
    if (there) SHOAL_TRY(library_.remove_all(path));
    fd = library_.create(path, entry(file).executable);
    if (!fd) return fail(std::move(fd.error()));
  }
  bool copy = planned(file).origin == FileOrigin::copy;
  SHOAL_TRY(set_size(fd->get(), entry(file).size, !copy, path.text()));
  return false;
}

Result<FileStager::Prepared> FileStager::prepare(FileIndex file) const {
  using Place = TreeImage::Place;
  SHOAL_TRY(stop_.check());
  Prepared prepared;
  switch (planned(file).origin) {
    case FileOrigin::keep:
      prepared.state = {Place::installed, planned(file).present};
      return prepared;
    case FileOrigin::move: {
      SHOAL_ASSIGN(bool linked, link(file));
      if (linked) {
        prepared.state = {Place::staged, old_stamp(file)};
        return prepared;
      }
      prepared.copy = true;
      break;
    }
    case FileOrigin::copy:
      prepared.copy = true;
      break;
    case FileOrigin::assemble:
    case FileOrigin::empty:
    case FileOrigin::leave:
      break;
  }
  prepared.state = {Place::staged, {}};
  SHOAL_ASSIGN(prepared.existed, make_file(file));
  return prepared;
}

Result<std::uint64_t> FileStager::copy_bytes(const RelativePath& from, FileIndex file) const {
  SHOAL_ASSIGN(auto source, library_.open_read(from));
  auto path = staged_path(file);
  SHOAL_ASSIGN(auto target, library_.open_write(path));
  if (::ioctl(target.get(), FICLONE, source.get()) == 0) return 0;
  std::uint64_t size = entry(file).size;
  SHOAL_TRY(set_size(target.get(), size, true, path.text()));
  for (std::uint64_t at = 0; at < size;) {
    SHOAL_TRY(stop_.check());
    SHOAL_ASSIGN(auto count,
                 copy_part(source.get(), target.get(), at,
                           std::min<std::uint64_t>(kCopyBytes, size - at), path.text()));
    at += count;
  }
  return size;
}

Result<std::optional<std::uint64_t>> FileStager::copy(FileIndex file) const {
  using Copied = std::optional<std::uint64_t>;
  auto unchanged = [&]() -> Result<bool> {
    SHOAL_ASSIGN(auto there, look(library_, old_path(file)));
    return there && there->type == EntryType::file && there->stamp == old_stamp(file);
  };
  SHOAL_ASSIGN(bool before, unchanged());
  if (!before) return Copied{};
  SHOAL_ASSIGN(auto written, copy_bytes(old_path(file), file));
  SHOAL_ASSIGN(bool after, unchanged());
  return after ? Copied(written) : Copied{};
}

Result<void> FileStager::restage(FileIndex file) const {
  bool moved = planned(file).origin == FileOrigin::move;
  auto from = moved ? old_path(file) : entry(file).path.beneath(plan_.folder);
  SHOAL_TRY(library_.remove_all(staged_path(file)));
  SHOAL_TRY(make_file(file));
  SHOAL_TRY(copy_bytes(from, file));
  return {};
}

}  // namespace shoal::install
