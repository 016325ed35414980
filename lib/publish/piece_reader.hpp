// An artifact's image out of the repository's bundles: pieces in any order, each decoded and held
// against the torrent's hash. Private to `publish`. One thread at a time.
#pragma once

#include <filesystem>
#include <optional>

#include "base/file.hpp"
#include "content/edge_index.hpp"
#include "content/torrent.hpp"

namespace shoal::publish {

class PieceReader {
 public:
  // All are the caller's, and outlive the reader. Errors: metadata_invalid (index and torrent are
  // not of one artifact).
  static Result<PieceReader> make(const std::filesystem::path& repository,
                                  const content::Torrent& torrent, const content::EdgeIndex& index);

  // The piece's plain bytes, valid until the next call. Errors: verification_failed, io_error.
  Result<ByteView> read(std::size_t piece);
  // A range of the image.
  Result<void> read_range(std::uint64_t offset, MutableByteView out);

 private:
  PieceReader(const std::filesystem::path& repository, const content::Torrent& torrent,
              const content::EdgeIndex& index)
      : repository_(&repository), torrent_(&torrent), index_(&index), piece_(index.piece_size) {}
  Result<void> open(std::uint32_t bundle);
  Result<void> decode(std::size_t piece);

  const std::filesystem::path* repository_;
  const content::Torrent* torrent_;
  const content::EdgeIndex* index_;
  UniqueFd bundle_;
  std::uint32_t open_bundle_ = 0;
  std::string bundle_name_;
  Bytes stored_;
  Bytes piece_;
  std::optional<std::size_t> held_;  // the piece in piece_
};

}  // namespace shoal::publish
