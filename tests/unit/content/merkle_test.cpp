// Merkle trees of BEP 52 against trees built by hand.
#include "content/merkle.hpp"

#include <gtest/gtest.h>

#include "samples.hpp"

namespace shoal::content {
namespace {

Digest leaf(char c) { return sha256(Bytes(kBlockSize, static_cast<std::uint8_t>(c))); }

TEST(Merkle, NothingHasTheZeroDigest) {
  EXPECT_TRUE(merkle_root({}).is_zero());
  EXPECT_TRUE(FileHasher().finish().is_zero());
}

TEST(Merkle, OneLeafIsItsOwnRoot) {
  std::vector<Digest> leaves{leaf('a')};
  EXPECT_EQ(merkle_root(leaves), leaf('a'));
}

TEST(Merkle, ThreeLeavesArePaddedWithAZeroDigest) {
  std::vector<Digest> leaves{leaf('a'), leaf('b'), leaf('c')};
  Digest expected =
      sha256_pair(sha256_pair(leaves[0], leaves[1]), sha256_pair(leaves[2], Digest{}));
  EXPECT_EQ(merkle_root(leaves), expected);
}

TEST(Merkle, WidthPadsBeyondTheNextPowerOfTwo) {
  std::vector<Digest> leaves{leaf('a')};
  Digest half = sha256_pair(leaves[0], Digest{});
  EXPECT_EQ(merkle_root(leaves, 4), sha256_pair(half, sha256_pair(Digest{}, Digest{})));
}

TEST(Merkle, GivenPadIsUsedAtItsLevel) {
  Digest pad = merkle_pad(2);
  EXPECT_EQ(pad, sha256_pair(sha256_pair({}, {}), sha256_pair({}, {})));
  std::vector<Digest> pieces{leaf('a'), leaf('b'), leaf('c')};
  EXPECT_EQ(merkle_root(pieces, 0, pad),
            sha256_pair(sha256_pair(pieces[0], pieces[1]), sha256_pair(pieces[2], pad)));
}

TEST(Merkle, PieceLayerAndLeavesGiveTheSameRoot) {
  std::mt19937_64 random(1);
  constexpr std::size_t kPiece = 4 * kBlockSize;
  Bytes bytes = test::random_bytes(random, 5 * kPiece);
  FileHasher hasher;
  hasher.update(bytes);
  std::vector<Digest> pieces;
  for (std::size_t at = 0; at < bytes.size(); at += kPiece)
    pieces.push_back(piece_hash(ByteView(bytes).subspan(at, kPiece)));
  EXPECT_EQ(hasher.finish(), merkle_root(pieces, 0, merkle_pad(2)));
}

TEST(Merkle, FileHasherDoesNotCareHowItIsFed) {
  std::mt19937_64 random(2);
  for (std::size_t size : {1U, 16383U, 16384U, 16385U, 100'000U}) {
    Bytes bytes = test::random_bytes(random, size);
    std::vector<Digest> leaves;
    for (std::size_t at = 0; at < size; at += kBlockSize)
      leaves.push_back(
          sha256(ByteView(bytes).subspan(at, std::min<std::size_t>(kBlockSize, size - at))));
    for (std::size_t step : {1U, 1000U, 16384U, 40'000U}) {
      FileHasher hasher;
      for (std::size_t at = 0; at < size; at += step)
        hasher.update(ByteView(bytes).subspan(at, std::min(step, size - at)));
      EXPECT_EQ(hasher.finish(), merkle_root(leaves)) << size << " bytes by " << step;
    }
  }
}

TEST(Merkle, FileHasherStartsAnewAfterFinish) {
  FileHasher hasher;
  hasher.update(as_bytes("abc"));
  Digest first = hasher.finish();
  hasher.update(as_bytes("abc"));
  EXPECT_EQ(hasher.finish(), first);
  EXPECT_EQ(first, sha256(as_bytes("abc")));
}

}  // namespace
}  // namespace shoal::content
