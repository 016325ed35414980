// The last bundle stays open and the last piece stays decoded: neighbours are asked for in turn.
#include "publish/piece_reader.hpp"

#include <fcntl.h>
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "content/merkle.hpp"

namespace shoal::publish {

Result<PieceReader> PieceReader::make(const std::filesystem::path& repository,
                                      const content::Torrent& torrent,
                                      const content::EdgeIndex& index) {
  if (index.piece_size != torrent.piece_size ||
      index.pieces.size() != torrent.piece_hashes.size()) {
    return fail(
        ErrorKind::metadata_invalid,
        fmt::format("the edge index and torrent '{}' are not of one artifact", torrent.name));
  }
  return PieceReader(repository, torrent, index);
}

Result<ByteView> PieceReader::read(std::size_t piece) {
  if (held_ == piece) return ByteView(piece_);
  held_.reset();
  SHOAL_TRY(decode(piece));
  if (content::piece_hash(piece_) != torrent_->piece_hashes[piece]) {
    return fail(ErrorKind::verification_failed,
                fmt::format("piece {} in {} does not match its hash", piece, bundle_name_),
                "The bundle is damaged: restore the repository from a mirror or a backup.");
  }
  held_ = piece;
  return ByteView(piece_);
}

Result<void> PieceReader::decode(std::size_t piece) {
  const content::PieceLocation& location = index_->pieces[piece];
  SHOAL_TRY(open(location.bundle));
  stored_.resize(location.stored_bytes());
  SHOAL_TRY(pread_exact(bundle_.get(), stored_, location.offset, bundle_name_));
  ByteView stored = stored_;
  MutableByteView out = piece_;
  for (const content::Frame& frame : location.frames) {
    SHOAL_TRY(content::decompress_frame(frame, stored.first(frame.stored_size),
                                        out.first(index_->frame_size)));
    stored = stored.subspan(frame.stored_size);
    out = out.subspan(index_->frame_size);
  }
  return {};
}

Result<void> PieceReader::open(std::uint32_t bundle) {
  if (bundle_ && bundle == open_bundle_) return {};
  const auto path = *repository_ / content::bundle_path(index_->bundles[bundle]);
  bundle_name_ = path.native();
  bundle_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!bundle_) return fail(system_error(errno, "open", bundle_name_));
  open_bundle_ = bundle;
  return {};
}

Result<void> PieceReader::read_range(std::uint64_t offset, MutableByteView out) {
  while (!out.empty()) {
    const std::uint64_t piece = offset / index_->piece_size;
    const std::uint64_t at = offset % index_->piece_size;
    if (piece >= index_->pieces.size()) {
      return fail(ErrorKind::metadata_invalid, "a range beyond the image of " + torrent_->name);
    }
    SHOAL_ASSIGN(const auto bytes, read(piece));
    const auto count = std::min<std::uint64_t>(out.size(), bytes.size() - at);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), count, out.begin());
    out = out.subspan(count);
    offset += count;
  }
  return {};
}

}  // namespace shoal::publish
