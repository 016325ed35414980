// BEP 52's merkle trees: SHA-256 over 16 KiB leaves, padded with zero digests to a power of two.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/sha256.hpp"
#include "content/manifest.hpp"

namespace shoal::content {

// The root over the leaves, padded with `pad` leaves to the next power of two (at least `width`
// leaves, itself a power of two or 0). No leaves: the zero digest.
Digest merkle_root(std::span<const Digest> leaves, std::size_t width = 0, const Digest& pad = {});

// The digest of a subtree whose 2^height leaves are all zero digests.
Digest merkle_pad(unsigned height);

// Hash of one piece of the image: the root over its piece_size/16 KiB leaves.
Digest piece_hash(ByteView piece);

// Streaming: a file's merkle root from its bytes in order.
class FileHasher {
 public:
  void update(ByteView bytes);
  Digest finish();  // zero digest for no bytes

 private:
  Sha256 leaf_;
  std::uint32_t in_leaf_ = 0;
  std::vector<Digest> leaves_;
};

}  // namespace shoal::content
