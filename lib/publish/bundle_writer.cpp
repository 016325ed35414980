// A bundle grows in a temporary file of the same folder, hashed as it grows; when full it is
// flushed and renamed to its hash. So a file with a bundle's name is always whole, whenever the
// publisher was killed.
#include "publish/bundle_writer.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>

namespace shoal::publish {

using content::EdgeIndex;
using content::PieceLocation;
using content::StoredFrame;

BundleWriter::BundleWriter(std::filesystem::path repository, std::uint32_t piece_size,
                           std::uint32_t frame_size, std::span<const EarlierArtifact> earlier)
    : bundles_(std::move(repository) / "bundles"), earlier_(earlier) {
  index_.piece_size = piece_size;
  index_.frame_size = frame_size;
  for (std::uint32_t a = 0; a < earlier.size(); ++a) {
    const EarlierArtifact& artifact = earlier[a];
    if (artifact.index.piece_size != piece_size || artifact.index.frame_size != frame_size ||
        artifact.index.pieces.size() != artifact.piece_hashes.size())
      continue;
    for (std::uint32_t i = 0; i < artifact.piece_hashes.size(); ++i)
      earlier_pieces_.emplace(artifact.piece_hashes[i], EarlierPiece{a, i});
  }
}

BundleWriter::~BundleWriter() {
  if (open_.fd) ::unlink(open_.path.c_str());
}

bool BundleWriter::needs(const Digest& piece) {
  return !earlier_pieces_.contains(piece) && asked_for_.insert(piece).second;
}

Result<void> BundleWriter::append(const Digest& piece, std::span<const StoredFrame> frames) {
  auto here = static_cast<std::uint32_t>(index_.pieces.size());
  auto [first, fresh] = first_use_.emplace(piece, here);
  PieceLocation location;
  if (!fresh) {
    location = index_.pieces[first->second];
  } else if (auto known = earlier_pieces_.find(piece); known != earlier_pieces_.end()) {
    location = refer_to(known->second);
  } else {
    SHOAL_ASSIGN(location, store(frames));
  }
  if (earlier_pieces_.contains(piece)) ++reused_pieces_;
  edge_bytes_ += location.stored_bytes();
  index_.pieces.push_back(std::move(location));
  return {};
}

PieceLocation BundleWriter::refer_to(const EarlierPiece& earlier) {
  const EdgeIndex& old = earlier_[earlier.artifact].index;
  PieceLocation location = old.pieces[earlier.piece];
  const Digest& name = old.bundles[location.bundle];
  auto next = static_cast<std::uint32_t>(index_.bundles.size());
  auto [entry, fresh] = earlier_bundles_.emplace(name, next);
  if (fresh) {
    index_.bundles.push_back(name);
    index_.bundle_sizes.push_back(old.bundle_sizes[location.bundle]);
  }
  location.bundle = entry->second;
  return location;
}

Result<PieceLocation> BundleWriter::store(std::span<const StoredFrame> frames) {
  assert(frames.size() == index_.frames_per_piece());
  PieceLocation location;
  for (const StoredFrame& frame : frames) location.frames.push_back(frame.frame);
  if (open_.fd && open_.size + location.stored_bytes() > content::kMaxBundleBytes)
    SHOAL_TRY(close_bundle());
  if (!open_.fd) SHOAL_TRY(open_bundle());
  location.bundle = open_bundle_;
  location.offset = open_.size;
  for (const StoredFrame& frame : frames) {
    SHOAL_TRY(pwrite_all(open_.fd.get(), frame.bytes, open_.size, open_.path.native()));
    open_.hasher.update(frame.bytes);
    open_.size += frame.bytes.size();
  }
  return location;
}

Result<void> BundleWriter::open_bundle() {
  SHOAL_TRY(make_directories(bundles_));
  open_.path = bundles_ / fmt::format(".tmp-{}-{}", ::getpid(), next_temporary_++);
  int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  open_.fd = UniqueFd(::open(open_.path.c_str(), flags, 0644));
  if (!open_.fd) return fail(system_error(errno, "create", open_.path.native()));
  open_.size = 0;
  open_bundle_ = static_cast<std::uint32_t>(index_.bundles.size());
  index_.bundles.emplace_back();  // named when it is complete
  index_.bundle_sizes.push_back(0);
  return {};
}

Result<void> BundleWriter::close_bundle() {
  Digest name = open_.hasher.finish();
  std::filesystem::path target = bundles_.parent_path() / content::bundle_path(name);
  SHOAL_TRY(make_directories(target.parent_path()));
  if (::fsync(open_.fd.get()) != 0) return fail(system_error(errno, "flush", open_.path.native()));
  if (::rename(open_.path.c_str(), target.c_str()) != 0)
    return fail(system_error(errno, "rename into place", target.native()));
  open_.fd.reset();
  folders_.insert(target.parent_path());
  index_.bundles[open_bundle_] = name;
  index_.bundle_sizes[open_bundle_] = open_.size;
  new_bytes_ += open_.size;
  return {};
}

Result<void> BundleWriter::flush_folder(const std::filesystem::path& folder) const {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return fail(system_error(errno, "flush", folder.native()));
  return {};
}

Result<EdgeIndex> BundleWriter::finish() {
  if (open_.fd) SHOAL_TRY(close_bundle());
  for (const auto& folder : folders_) SHOAL_TRY(flush_folder(folder));
  if (!folders_.empty()) SHOAL_TRY(flush_folder(bundles_));
  return std::move(index_);
}

}  // namespace shoal::publish
