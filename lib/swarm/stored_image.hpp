// One artifact's store as the disk layer uses it: pieces, 16 KiB blocks, and what is known of
// their hashes, so that nothing is hashed or written twice.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
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
  StoredImage(std::shared_ptr<transfer::ImageStore> store, std::uint32_t piece_size,
              std::uint32_t piece_count)
      : store_(std::move(store)), piece_size_(piece_size), piece_count_(piece_count) {}

  std::uint32_t piece_size() const { return piece_size_; }

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

  enum class Failure {
    of_peers,     // their blocks were wrong; nothing is known of the piece any more
    in_passing,   // peers' blocks were checked, and meanwhile it was delivered: check it again
    of_delivery,  // what was delivered is wrong; nothing is known of the piece any more
  };
  // The piece failed its check.
  Failure failed(PieceIndex piece);
  // The piece passed its check: true if it was delivered. Forgets it.
  bool passed(PieceIndex piece);
  void forget(PieceIndex piece);

  // The piece could not be read: neither it nor its neighbours that the store does not offer any
  // more are offered to peers from now on. Returns those that were offered until now.
  std::vector<PieceIndex> lose(PieceIndex piece);
  bool is_lost(PieceIndex piece) const;
  // What was lost, in that order, without the first `known`.
  std::vector<PieceIndex> lost_since(std::size_t known) const;

 private:
  struct PieceState {
    std::vector<Digest> leaves;  // by block; zero: not known
    Sha1Digest v1{};
    bool delivered = false;
    bool failed_in_passing = false;
  };
  std::uint64_t offset_of(PieceIndex piece) const {
    return std::uint64_t{piece.value()} * piece_size_;
  }
  std::uint32_t blocks_per_piece() const { return piece_size_ / kBlockBytes; }

  const std::shared_ptr<transfer::ImageStore> store_;
  const std::uint32_t piece_size_;
  const std::uint32_t piece_count_;
  mutable std::mutex mutex_;
  std::unordered_map<PieceIndex, PieceState> pieces_;  // incomplete, or delivered and not passed
  std::vector<PieceIndex> lost_;
  std::unordered_set<PieceIndex> lost_set_;
};

}  // namespace shoal::swarm
