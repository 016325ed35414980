// One level at a time, in place: an odd node at the end of a level pairs with that level's pad, so
// the padding itself is never laid out. Above the leaves a pad node is the hash of two pads.
#include "content/merkle.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace shoal::content {

Digest merkle_root(std::span<const Digest> leaves, std::size_t width, const Digest& pad) {
  if (leaves.empty()) return {};
  assert(width == 0 || std::has_single_bit(width));
  std::vector<Digest> level(leaves.begin(), leaves.end());
  std::size_t full = std::max(std::bit_ceil(level.size()), width);
  Digest level_pad = pad;
  for (; full > 1; full /= 2) {
    std::size_t parents = (level.size() + 1) / 2;
    for (std::size_t i = 0; i < parents; ++i) {
      const Digest& right = 2 * i + 1 < level.size() ? level[2 * i + 1] : level_pad;
      level[i] = sha256_pair(level[2 * i], right);
    }
    level.resize(parents);
    level_pad = sha256_pair(level_pad, level_pad);
  }
  return level.front();
}

Digest merkle_pad(unsigned height) {
  Digest pad;
  for (unsigned i = 0; i < height; ++i) pad = sha256_pair(pad, pad);
  return pad;
}

Digest piece_hash(ByteView piece) {
  std::vector<Digest> leaves;
  leaves.reserve(piece.size() / kBlockSize + 1);
  for (std::size_t at = 0; at < piece.size(); at += kBlockSize)
    leaves.push_back(
        sha256(piece.subspan(at, std::min<std::size_t>(kBlockSize, piece.size() - at))));
  return merkle_root(leaves);
}

void FileHasher::update(ByteView bytes) {
  while (!bytes.empty()) {
    auto take = std::min<std::size_t>(bytes.size(), kBlockSize - in_leaf_);
    if (take == kBlockSize) {
      leaves_.push_back(sha256(bytes.first(take)));
    } else {
      leaf_.update(bytes.first(take));
      in_leaf_ += static_cast<std::uint32_t>(take);
      if (in_leaf_ == kBlockSize) {
        leaves_.push_back(leaf_.finish());
        in_leaf_ = 0;
      }
    }
    bytes = bytes.subspan(take);
  }
}

Digest FileHasher::finish() {
  if (in_leaf_ > 0) leaves_.push_back(leaf_.finish());
  Digest root = merkle_root(leaves_);
  leaves_.clear();
  in_leaf_ = 0;
  return root;
}

}  // namespace shoal::content
