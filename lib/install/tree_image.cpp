// An image over real files. Reading goes extent by extent through a few open descriptors; a file
// that carries a stamp is believed only while its descriptor's stamp is still that one, which is
// asked after the bytes were read, so that bytes of a file that changes meanwhile are never used.
#include "install/tree_image.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "install/look.hpp"

namespace shoal::install {
namespace {

constexpr std::size_t kMaxOpenFiles = 64;  // an image of many small files must not use them all up

}  // namespace

struct TreeImage::Impl {
  // Shared: a descriptor may leave the cache while another thread still reads through it.
  struct Open {
    UniqueFd fd;
    FileStamp stamp;  // must still be this; zero: a staged file that is being written
  };
  struct Cached {
    std::uint32_t file;
    std::shared_ptr<const Open> open;
  };

  Impl(const BeneathDir& library_, RelativePath folder_, RelativePath staging_,
       std::shared_ptr<const content::Component> component_, std::vector<FileState> files_)
      : library(library_),
        folder(std::move(folder_)),
        staging(std::move(staging_)),
        component(std::move(component_)),
        map(*component),
        files(std::move(files_)) {
    files.resize(component->files.size());
  }

  const RelativePath& path_of(FileIndex file) const { return component->files[file.value()].path; }
  FileState state_of(FileIndex file) {
    std::lock_guard lock(mutex);
    return files[file.value()];
  }
  void set_state(FileIndex file, FileState state);
  std::shared_ptr<const Open> cached(FileIndex file, const FileStamp& stamp);
  void remember(FileIndex file, std::shared_ptr<const Open> open);
  void forget(FileIndex file);  // mutex held
  Result<UniqueFd> open_at_its_place(FileIndex file, const FileState& state);
  Result<std::shared_ptr<const Open>> open(FileIndex file, const FileState& state);
  Result<void> read_file(FileIndex file, std::uint64_t offset, MutableByteView out);
  bool begin_write(FileIndex file);
  void end_write(FileIndex file);
  Result<void> write_file(FileIndex file, std::uint64_t offset, ByteView bytes);
  bool in_place(FileIndex file, const FileState& state, bool staged_counts);

  const BeneathDir& library;
  const RelativePath folder;
  const RelativePath staging;
  const std::shared_ptr<const content::Component> component;  // shared with the plan and the agent
  const content::ImageMap map;

  std::atomic<std::uint64_t> written_bytes{0};

  std::mutex mutex;  // guards what follows; never held over a system call that reads or writes
  std::vector<FileState> files;
  bool sealed = false;
  bool dropping = false;                                // writes to any file are dropped, for good
  bool holding = false;                                 // … until they are allowed again
  std::unordered_set<std::uint32_t> held;               // … of these files
  std::unordered_map<std::uint32_t, unsigned> writing;  // writes under way, by file
  std::condition_variable written;                      // one of them has ended
  std::list<Cached> recent;                             // most recently used first
  std::unordered_map<std::uint32_t, std::list<Cached>::iterator> by_file;
};

void TreeImage::Impl::forget(FileIndex file) {
  auto found = by_file.find(file.value());
  if (found == by_file.end()) return;
  recent.erase(found->second);
  by_file.erase(found);
}

void TreeImage::Impl::set_state(FileIndex file, FileState state) {
  std::lock_guard lock(mutex);
  files[file.value()] = state;
  held.erase(file.value());  // a finished file takes no writes anyway
  forget(file);
}

std::shared_ptr<const TreeImage::Impl::Open> TreeImage::Impl::cached(FileIndex file,
                                                                     const FileStamp& stamp) {
  std::lock_guard lock(mutex);
  auto found = by_file.find(file.value());
  if (found == by_file.end() || found->second->open->stamp != stamp) return nullptr;
  recent.splice(recent.begin(), recent, found->second);
  return found->second->open;
}

void TreeImage::Impl::remember(FileIndex file, std::shared_ptr<const Open> open) {
  std::lock_guard lock(mutex);
  if (files[file.value()].stamp != open->stamp) return;  // its state has changed meanwhile
  forget(file);
  recent.push_front({file.value(), std::move(open)});
  by_file[file.value()] = recent.begin();
  if (recent.size() > kMaxOpenFiles) forget(FileIndex(recent.back().file));
}

Result<UniqueFd> TreeImage::Impl::open_at_its_place(FileIndex file, const FileState& state) {
  const auto& path = path_of(file);
  switch (state.place) {
    case Place::installed:
      return library.open_read(path.beneath(folder));
    case Place::staged: {
      if (state.stamp == FileStamp{}) return library.open_write(path.beneath(staging));
      auto fd = library.open_read(path.beneath(staging));
      if (fd || fd.error().kind != ErrorKind::not_found) return fd;
      return library.open_read(path.beneath(folder));  // the commit has renamed it
    }
    case Place::absent:
      break;
  }
  return fail(ErrorKind::not_found, fmt::format("read {}: it is not there in the version that is "
                                                "being shared",
                                                path.text()));
}

Result<std::shared_ptr<const TreeImage::Impl::Open>> TreeImage::Impl::open(FileIndex file,
                                                                           const FileState& state) {
  if (auto open = cached(file, state.stamp)) return open;
  SHOAL_ASSIGN(auto fd, open_at_its_place(file, state));
  auto open = std::make_shared<const Open>(Open{std::move(fd), state.stamp});
  remember(file, open);
  return open;
}

Result<void> TreeImage::Impl::read_file(FileIndex file, std::uint64_t offset, MutableByteView out) {
  auto state = state_of(file);
  SHOAL_ASSIGN(auto open, open(file, state));
  const auto& name = path_of(file).text();
  auto done = pread_exact(open->fd.get(), out, offset, name);
  if (open->stamp == FileStamp{}) return done;
  SHOAL_ASSIGN(auto now, stamp_of(open->fd.get(), name));
  if (now == open->stamp) return done;
  {
    std::lock_guard lock(mutex);
    forget(file);
  }
  return fail(ErrorKind::verification_failed,
              fmt::format("read {}: it has changed since it was verified", name));
}

// True: the file takes the bytes, and end_write() must follow. What comes for a finished file are
// its neighbours' blocks that straddle its edge. Other bytes than it has (a corrupt peer's) are
// dropped; the piece's hash tells.
bool TreeImage::Impl::begin_write(FileIndex file) {
  std::lock_guard lock(mutex);
  const auto& state = files[file.value()];
  bool incomplete = state.place == Place::staged && state.stamp == FileStamp{};
  if (!incomplete || dropping || holding || held.contains(file.value())) return false;
  ++writing[file.value()];
  return true;
}

void TreeImage::Impl::end_write(FileIndex file) {
  std::lock_guard lock(mutex);
  auto found = writing.find(file.value());
  if (--found->second == 0) writing.erase(found);
  written.notify_all();
}

Result<void> TreeImage::Impl::write_file(FileIndex file, std::uint64_t offset, ByteView bytes) {
  if (!begin_write(file)) return {};
  auto opened = open(file, {Place::staged, {}});
  auto done = opened ? pwrite_all((*opened)->fd.get(), bytes, offset, path_of(file).text())
                     : fail(std::move(opened.error()));
  if (done) written_bytes += bytes.size();
  end_write(file);
  return done;
}

// A status call or two; nothing is read.
bool TreeImage::Impl::in_place(FileIndex file, const FileState& state, bool staged_counts) {
  auto stands_at = [&](const RelativePath& path) {
    auto there = look(library, path);
    return there && *there && (*there)->type == EntryType::file &&
           (state.stamp == FileStamp{} || (*there)->stamp == state.stamp);
  };
  const auto& path = path_of(file);
  switch (state.place) {
    case Place::installed:
      return stands_at(path.beneath(folder));
    case Place::staged:
      return staged_counts && (stands_at(path.beneath(staging)) ||
                               (state.stamp != FileStamp{} && stands_at(path.beneath(folder))));
    case Place::absent:
      return false;
  }
  return false;
}

TreeImage::TreeImage(const BeneathDir& library, RelativePath folder, RelativePath staging,
                     std::shared_ptr<const content::Component> component,
                     std::vector<FileState> files)
    : impl_(std::make_unique<Impl>(library, std::move(folder), std::move(staging),
                                   std::move(component), std::move(files))) {}

TreeImage::~TreeImage() = default;

std::shared_ptr<TreeImage> TreeImage::of_installed(const BeneathDir& library, RelativePath folder,
                                                   const InstalledComponent& installed) {
  auto image = std::make_shared<TreeImage>(library, folder, folder, installed.component,
                                           std::vector<FileState>{});
  image->seal(installed.stamps);
  for (std::uint32_t f = 0; f < installed.component->files.size(); ++f) {
    auto state = image->file_state(FileIndex(f));
    if (state.place == Place::installed && !image->impl_->in_place(FileIndex(f), state, false))
      image->set_file_state(FileIndex(f), {});
  }
  return image;
}

Result<void> TreeImage::read(std::uint64_t offset, MutableByteView out) {
  std::uint64_t at = offset;
  auto zero_until = [&](std::uint64_t end) {
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(at - offset), end - at, std::uint8_t{0});
  };
  for (const auto& extent : impl_->map.extents(offset, out.size())) {
    zero_until(extent.image_offset);
    SHOAL_TRY(impl_->read_file(extent.file, extent.file_offset,
                               out.subspan(extent.image_offset - offset, extent.length)));
    at = extent.image_offset + extent.length;
  }
  zero_until(offset + out.size());
  return {};
}

Result<void> TreeImage::write(std::uint64_t offset, ByteView bytes) {
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->holding || impl_->dropping) return {};
    if (impl_->sealed)
      return fail(ErrorKind::read_only,
                  fmt::format("write to {}: it is installed", impl_->folder.text()));
  }
  Result<void> outcome;
  for (const auto& extent : impl_->map.extents(offset, bytes.size())) {
    auto written = impl_->write_file(extent.file, extent.file_offset,
                                     bytes.subspan(extent.image_offset - offset, extent.length));
    if (!written && outcome) outcome = std::move(written);
  }
  return outcome;
}

bool TreeImage::offers(PieceIndex piece) {
  std::uint64_t size = impl_->map.piece_size();
  auto extents = impl_->map.extents(piece.value() * size, size);
  return std::all_of(extents.begin(), extents.end(), [this](const content::Extent& extent) {
    return impl_->in_place(extent.file, impl_->state_of(extent.file), true);
  });
}

transfer::PieceSet TreeImage::complete_pieces() {
  transfer::PieceSet pieces(impl_->map.piece_count(), true);
  for (std::uint32_t f = 0; f < impl_->component->files.size(); ++f) {
    FileIndex file(f);
    if (impl_->component->files[f].size == 0 || impl_->in_place(file, impl_->state_of(file), false))
      continue;
    auto [first, last] = impl_->map.pieces_of(file);
    for (auto piece = first; piece <= last; ++piece) pieces.remove(piece);
  }
  return pieces;
}

void TreeImage::hold_writes(FileIndex file) {
  std::unique_lock lock(impl_->mutex);
  impl_->held.insert(file.value());
  impl_->written.wait(lock, [&] { return !impl_->writing.contains(file.value()); });
}

void TreeImage::hold_writes() {
  std::unique_lock lock(impl_->mutex);
  impl_->holding = true;
  impl_->written.wait(lock, [&] { return impl_->writing.empty(); });
}

void TreeImage::allow_writes(FileIndex file) {
  std::lock_guard lock(impl_->mutex);
  impl_->held.erase(file.value());
}

void TreeImage::allow_writes() {
  std::lock_guard lock(impl_->mutex);
  impl_->holding = false;
  impl_->held.clear();
}

void TreeImage::drop_writes() {
  std::lock_guard lock(impl_->mutex);
  impl_->dropping = true;
}

std::uint64_t TreeImage::written_bytes() const { return impl_->written_bytes; }

void TreeImage::seal(std::vector<FileStamp> stamps) {
  std::lock_guard lock(impl_->mutex);
  stamps.resize(impl_->files.size());
  for (std::size_t f = 0; f < stamps.size(); ++f)
    impl_->files[f] =
        stamps[f] == FileStamp{} ? FileState{} : FileState{Place::installed, stamps[f]};
  impl_->sealed = true;
  impl_->recent.clear();
  impl_->by_file.clear();
}

TreeImage::FileState TreeImage::file_state(FileIndex file) const { return impl_->state_of(file); }

void TreeImage::set_file_state(FileIndex file, FileState state) { impl_->set_state(file, state); }

const content::ImageMap& TreeImage::map() const { return impl_->map; }

}  // namespace shoal::install
