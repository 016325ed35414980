// The image again, piece by piece from the bundles, each checked against the torrent before it is
// written; the output appears under its name only when it is whole.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.hpp"
#include "content/merkle.hpp"
#include "publish/release_builder.hpp"

namespace shoal::publish {
namespace {

class PieceReader {
 public:
  PieceReader(const std::filesystem::path& repository, const content::EdgeIndex& index)
      : repository_(repository), index_(index), piece_(index.piece_size) {}

  // The piece's plain bytes, valid until the next call; not yet checked.
  Result<ByteView> read(std::size_t piece) {
    const content::PieceLocation& location = index_.pieces[piece];
    SHOAL_TRY(open(location.bundle));
    stored_.resize(location.stored_bytes());
    SHOAL_TRY(pread_exact(bundle_.get(), stored_, location.offset, bundle_name_));
    ByteView stored = stored_;
    MutableByteView out = piece_;
    for (const content::Frame& frame : location.frames) {
      SHOAL_TRY(content::decompress_frame(frame, stored.first(frame.stored_size),
                                          out.first(index_.frame_size)));
      stored = stored.subspan(frame.stored_size);
      out = out.subspan(index_.frame_size);
    }
    return ByteView(piece_);
  }
  const std::string& bundle_name() const { return bundle_name_; }

 private:
  Result<void> open(std::uint32_t bundle) {
    if (bundle_ && bundle == open_bundle_) return {};
    auto path = repository_ / content::bundle_path(index_.bundles[bundle]);
    bundle_name_ = path.native();
    bundle_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!bundle_) return fail(system_error(errno, "open", bundle_name_));
    open_bundle_ = bundle;
    return {};
  }

  const std::filesystem::path& repository_;
  const content::EdgeIndex& index_;
  UniqueFd bundle_;
  std::uint32_t open_bundle_ = 0;
  std::string bundle_name_;
  Bytes stored_;
  Bytes piece_;
};

Result<void> write_pieces(PieceReader& reader, const content::Torrent& torrent, int fd,
                          const std::string& name) {
  for (std::size_t i = 0; i < torrent.piece_hashes.size(); ++i) {
    SHOAL_ASSIGN(auto piece, reader.read(i));
    if (content::piece_hash(piece) != torrent.piece_hashes[i])
      return fail(ErrorKind::verification_failed,
                  fmt::format("piece {} in {} does not match its hash", i, reader.bundle_name()),
                  "The bundle is damaged: restore the repository from a mirror or a backup.");
    SHOAL_TRY(pwrite_all(fd, piece, std::uint64_t{i} * torrent.piece_size, name));
  }
  if (::fsync(fd) != 0) return fail(system_error(errno, "flush", name));
  return {};
}

}  // namespace

Result<void> write_image(const std::filesystem::path& repository, const content::Torrent& torrent,
                         const content::EdgeIndex& index, const std::filesystem::path& output) {
  if (index.piece_size != torrent.piece_size || index.pieces.size() != torrent.piece_hashes.size())
    return fail(
        ErrorKind::metadata_invalid,
        fmt::format("the edge index and torrent '{}' are not of one artifact", torrent.name));
  std::filesystem::path temporary = output;
  temporary += fmt::format(".tmp.{}", ::getpid());
  int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  UniqueFd fd(::open(temporary.c_str(), flags, 0644));
  if (!fd) return fail(system_error(errno, "create", temporary.native()));
  PieceReader reader(repository, index);
  auto written = write_pieces(reader, torrent, fd.get(), temporary.native());
  if (written && ::rename(temporary.c_str(), output.c_str()) != 0)
    written = fail(system_error(errno, "rename into place", output.native()));
  if (!written) ::unlink(temporary.c_str());
  return written;
}

}  // namespace shoal::publish
