// Each block is hashed while it is still in the processor's cache, when it is written; the piece's
// check then only collects those hashes. A delivered piece is written in one go and guards itself
// against late blocks from peers. The lock covers the bookkeeping alone, never the store.
#include "swarm/stored_image.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace shoal::swarm {

Result<void> StoredImage::write_block(PieceIndex piece, std::uint32_t block, ByteView bytes) {
  if (is_delivered(piece)) return {};
  SHOAL_TRY(store_->write(offset_of(piece) + std::uint64_t{block} * kBlockBytes, bytes));
  const Digest leaf = sha256(bytes);
  std::lock_guard lock(mutex_);
  PieceState& state = pieces_[piece];
  state.leaves.resize(blocks_per_piece());
  state.leaves[block] = leaf;
  return {};
}

Result<void> StoredImage::deliver(PieceIndex piece, ByteView bytes, bool v1) {
  SHOAL_TRY(store_->write(offset_of(piece), bytes));
  PieceState state;
  state.delivered = true;
  state.leaves.reserve(blocks_per_piece());
  for (std::size_t at = 0; at < bytes.size(); at += kBlockBytes) {
    state.leaves.push_back(
        sha256(bytes.subspan(at, std::min<std::size_t>(kBlockBytes, bytes.size() - at))));
  }
  if (v1) state.v1 = sha1(bytes);
  std::lock_guard lock(mutex_);
  pieces_[piece] = std::move(state);
  return {};
}

bool StoredImage::is_delivered(PieceIndex piece) const {
  std::lock_guard lock(mutex_);
  const auto found = pieces_.find(piece);
  return found != pieces_.end() && found->second.delivered;
}

Result<void> StoredImage::read(PieceIndex piece, std::uint32_t offset, MutableByteView out) {
  return store_->read(offset_of(piece) + offset, out);
}

Result<PieceHashes> StoredImage::hash_piece(PieceIndex piece, bool v1) {
  PieceHashes hashes;
  bool v1_known = false;
  {
    std::lock_guard lock(mutex_);
    if (const auto found = pieces_.find(piece); found != pieces_.end()) {
      PieceState& state = found->second;
      hashes.leaves = std::exchange(state.leaves, {});
      hashes.v1 = state.v1;
      v1_known = state.delivered;
      if (!state.delivered) pieces_.erase(found);
    }
  }
  hashes.leaves.resize(blocks_per_piece());
  if (v1 && !v1_known) {
    Bytes whole(piece_size_);
    SHOAL_TRY(read(piece, 0, whole));
    hashes.v1 = sha1(whole);
  }
  for (std::uint32_t block = 0; block < blocks_per_piece(); ++block) {
    if (!hashes.leaves[block].is_zero()) continue;
    SHOAL_ASSIGN(hashes.leaves[block], hash_block(piece, block * kBlockBytes));
  }
  return hashes;
}

Result<Digest> StoredImage::hash_block(PieceIndex piece, std::uint32_t offset) {
  std::array<std::uint8_t, kBlockBytes> bytes;
  SHOAL_TRY(read(piece, offset, bytes));
  return sha256(bytes);
}

// The check that failed may have been of blocks that came before the delivery: one more check
// tells.
StoredImage::Failure StoredImage::failed(PieceIndex piece) {
  std::lock_guard lock(mutex_);
  const auto found = pieces_.find(piece);
  const bool delivered = found != pieces_.end() && found->second.delivered;
  if (delivered && !std::exchange(found->second.failed_in_passing, true))
    return Failure::in_passing;
  if (found != pieces_.end()) pieces_.erase(found);
  return delivered ? Failure::of_delivery : Failure::of_peers;
}

void StoredImage::forget(PieceIndex piece) {
  std::lock_guard lock(mutex_);
  pieces_.erase(piece);
}

bool StoredImage::passed(PieceIndex piece) {
  std::lock_guard lock(mutex_);
  const auto found = pieces_.find(piece);
  if (found == pieces_.end()) return false;
  const bool delivered = found->second.delivered;
  pieces_.erase(found);
  return delivered;
}

// A changed file's pieces lie side by side.
std::vector<PieceIndex> StoredImage::lose(PieceIndex piece) {
  std::vector<PieceIndex> gone{piece};
  for (std::uint32_t i = piece.value(); i-- > 0 && !store_->offers(PieceIndex(i));)
    gone.push_back(PieceIndex(i));
  for (std::uint32_t i = piece.value() + 1; i < piece_count_ && !store_->offers(PieceIndex(i)); ++i)
    gone.push_back(PieceIndex(i));
  std::lock_guard lock(mutex_);
  std::erase_if(gone, [this](PieceIndex each) { return !lost_set_.insert(each).second; });
  lost_.insert(lost_.end(), gone.begin(), gone.end());
  return gone;
}

bool StoredImage::is_lost(PieceIndex piece) const {
  std::lock_guard lock(mutex_);
  return lost_set_.contains(piece);
}

std::vector<PieceIndex> StoredImage::lost_since(std::size_t known) const {
  std::lock_guard lock(mutex_);
  return {lost_.begin() + static_cast<std::ptrdiff_t>(std::min(known, lost_.size())), lost_.end()};
}

}  // namespace shoal::swarm
