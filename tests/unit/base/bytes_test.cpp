// Hexadecimal text and digests: what every other format leans on.
#include "base/bytes.hpp"

#include <gtest/gtest.h>

#include "base/sha256.hpp"

namespace shoal {
namespace {

TEST(Hex, RoundTripsEveryByteInLowerCase) {
  Bytes all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::uint8_t>(i));
  auto text = to_hex(all);
  EXPECT_EQ(text.substr(0, 8), "00010203");
  EXPECT_EQ(text.substr(text.size() - 4), "feff");
  EXPECT_EQ(from_hex(text), all);
}

TEST(Hex, AcceptsUpperCaseAndTheEmptyText) {
  EXPECT_EQ(from_hex("DeadBEEF"), (Bytes{0xde, 0xad, 0xbe, 0xef}));
  EXPECT_EQ(from_hex(""), Bytes{});
}

TEST(Hex, RefusesOddLengthsAndOtherCharacters) {
  for (std::string_view bad : {"a", "abc", "0g", "g0", " 0", "0x", "--", "\xc3\xa9"})
    EXPECT_EQ(from_hex(bad), std::nullopt) << bad;
}

// FIPS 180-4's examples.
TEST(Sha256, MatchesThePublishedExamples) {
  EXPECT_EQ(sha256({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(as_bytes("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, StreamingEqualsOneShotForEverySplit) {
  Bytes bytes(300);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
  Digest whole = sha256(bytes);
  Sha256 hasher;  // reused: finish() starts anew
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    hasher.update(ByteView(bytes).first(cut));
    hasher.update(ByteView(bytes).subspan(cut));
    ASSERT_EQ(hasher.finish(), whole) << "cut at " << cut;
  }
}

TEST(Sha256, PairIsTheDigestOfBothDigests) {
  Digest left = sha256(as_bytes("left"));
  Digest right = sha256(as_bytes("right"));
  Bytes both(left.bytes.begin(), left.bytes.end());
  both.insert(both.end(), right.bytes.begin(), right.bytes.end());
  EXPECT_EQ(sha256_pair(left, right), sha256(both));
  EXPECT_NE(sha256_pair(left, right), sha256_pair(right, left));
}

TEST(Sha1, MatchesThePublishedExample) {
  EXPECT_EQ(to_hex(sha1(as_bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Digest, ParsesExactly32Bytes) {
  std::string text(64, 'a');
  ASSERT_TRUE(Digest::from_hex(text));
  EXPECT_EQ(Digest::from_hex(text)->hex(), text);
  EXPECT_FALSE(Digest::from_hex(std::string(62, 'a')));
  EXPECT_FALSE(Digest::from_hex(std::string(66, 'a')));
  EXPECT_FALSE(Digest::from_hex(std::string(64, 'x')));
  EXPECT_FALSE(Digest::from_bytes(Bytes(31)));
  EXPECT_FALSE(Digest::from_bytes(Bytes(33)));
  EXPECT_TRUE(Digest::from_bytes(Bytes(32))->is_zero());
}

}  // namespace
}  // namespace shoal
