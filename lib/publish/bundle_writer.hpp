// Puts pieces into bundles beneath <repository>/bundles, and keeps the edge index of the release.
// A piece that an earlier artifact's bundles hold, or that was stored already, is only referred
// to. Private to `publish`. One thread at a time.
#pragma once

#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/file.hpp"
#include "content/edge_index.hpp"
#include "publish/release_builder.hpp"

namespace shoal::publish {

class BundleWriter {
 public:
  // `earlier` must outlive the writer. Those of other piece or frame sizes are of no use.
  BundleWriter(std::filesystem::path repository, std::uint32_t piece_size, std::uint32_t frame_size,
               std::span<const EarlierArtifact> earlier);
  ~BundleWriter();  // removes what was not finished
  BundleWriter(const BundleWriter&) = delete;
  BundleWriter& operator=(const BundleWriter&) = delete;

  // Whether append() will need the frames of this piece. True once for each hash.
  bool needs(const Digest& piece);
  // The next piece of the image. Frames: those of the piece, or none where needs() said so.
  // Errors: disk_full, read_only, not_allowed, io_error.
  Result<void> append(const Digest& piece, std::span<const content::StoredFrame> frames);
  // Completes the last bundle; everything written is on the disk after.
  Result<content::EdgeIndex> finish();

  std::uint64_t edge_bytes() const { return edge_bytes_; }        // of all pieces appended
  std::uint64_t new_bytes() const { return new_bytes_; }          // written
  std::uint64_t reused_pieces() const { return reused_pieces_; }  // found in earlier bundles

 private:
  struct EarlierPiece {
    std::uint32_t artifact;
    std::uint32_t piece;
  };
  struct Open {
    UniqueFd fd;
    std::filesystem::path path;
    Sha256 hasher;
    std::uint64_t size = 0;
  };

  content::PieceLocation refer_to(const EarlierPiece& earlier);
  Result<content::PieceLocation> store(std::span<const content::StoredFrame> frames);
  Result<void> open_bundle();
  Result<void> close_bundle();
  Result<void> flush_folder(const std::filesystem::path& folder) const;

  std::filesystem::path bundles_;
  std::span<const EarlierArtifact> earlier_;
  std::unordered_map<Digest, EarlierPiece> earlier_pieces_;
  std::unordered_set<Digest> asked_for_;                 // needs() said yes
  std::unordered_map<Digest, std::uint32_t> first_use_;  // index of the piece in index_.pieces
  std::unordered_map<Digest, std::uint32_t> earlier_bundles_;  // index in index_.bundles
  content::EdgeIndex index_;
  Open open_;  // the bundle being written, the last of index_.bundles that is new
  std::uint32_t open_bundle_ = 0;
  std::set<std::filesystem::path> folders_;  // that hold new names
  unsigned next_temporary_ = 0;
  std::uint64_t edge_bytes_ = 0;
  std::uint64_t new_bytes_ = 0;
  std::uint64_t reused_pieces_ = 0;
};

}  // namespace shoal::publish
