// One artifact's store as the disk layer uses it: pieces, 16 KiB blocks, and what is known of
// their hashes, so that nothing is hashed or written twice.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strong.hpp"
#include "transfer/image_store.hpp"

namespace shoal::swarm {

inline constexpr std::uint32_t kBlockBytes = 16 * 1024;  // BEP 52's leaf, and the unit of requests

struct PieceHashes {
  std::vector<Digest> leaves;  // SHA-256 of each block
  Sha1Digest v1{};             // of the whole piece; zeros unless asked for
};

// Thread-safe. The calls that write or hash one piece must not overlap each other (the job queue
// sees to it).
class StoredImage {
 public:
  // `piece_size`: a power of two, at least a block.
  StoredImage(std::shared_ptr<transfer::ImageStore> store, std::uint32_t piece_size)
      : store_(std::move(store)), piece_size_(piece_size) {}

  // A block from a peer, not checked yet. Dropped when the piece was delivered: what is known to
  // be right is not overwritten by what may be wrong.
  Result<void> write_block(PieceIndex piece, std::uint32_t block, ByteView bytes);
  // A whole piece whose hash the caller has checked. `v1`: its SHA-1 will be asked for too.
  Result<void> deliver(PieceIndex piece, ByteView bytes, bool v1);
  bool is_delivered(PieceIndex piece) const;
  Result<void> read(PieceIndex piece, std::uint32_t offset, MutableByteView out);

  // From what was remembered while writing; blocks that were there before are read and hashed.
  // The piece's leaves are forgotten: they are needed once.
  Result<PieceHashes> hash_piece(PieceIndex piece, bool v1);
  Result<Digest> hash_block(PieceIndex piece, std::uint32_t offset);

  // The piece failed its check: nothing is known of it any more.
  void clear(PieceIndex piece);
  // The piece passed its check: true if it was delivered. Forgets it.
  bool passed(PieceIndex piece);

 private:
  struct PieceState {
    std::vector<Digest> leaves;  // by block; zero: not known
    Sha1Digest v1{};
    bool delivered = false;
  };
  std::uint64_t offset_of(PieceIndex piece) const {
    return std::uint64_t{piece.value()} * piece_size_;
  }
  std::uint32_t blocks_per_piece() const { return piece_size_ / kBlockBytes; }

  std::shared_ptr<transfer::ImageStore> store_;
  std::uint32_t piece_size_;
  mutable std::mutex mutex_;
  std::unordered_map<PieceIndex, PieceState> pieces_;  // incomplete, or delivered and not passed
};

}  // namespace shoal::swarm
