// Words for keys: distinct enough to be compared aloud, and the same for the same key for ever.
#include "trust/fingerprint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "trust/signing.hpp"

namespace shoal::trust {
namespace {

TEST(Fingerprint, TheWordsAreDistinctInTheirFirstThreeLetters) {
  std::set<std::string_view> beginnings;
  for (auto word : kFingerprintWords) {
    EXPECT_GE(word.size(), 4U);
    EXPECT_TRUE(beginnings.insert(word.substr(0, 3)).second) << word;
  }
}

TEST(Fingerprint, TwelveWordsOfAKeyStayTheSame) {
  auto key = SigningKey::from_seed({});
  EXPECT_EQ(fingerprint_words(key.public_key()), fingerprint_words(key.public_key()));
  EXPECT_EQ(words_of(Bytes{0, 1, 255}), "acid-acorn-zipper");
  auto words = fingerprint_words(SigningKey::generate().public_key());
  EXPECT_EQ(std::ranges::count(words, '-'), 11);
  EXPECT_NE(words, fingerprint_words(key.public_key()));
}

TEST(PublicKeyFile, HoldsWhatOthersNeedAndNoSecret) {
  auto key = SigningKey::generate();
  auto file = format_public_key_file(key.public_key());
  EXPECT_EQ(parse_public_key_file(file)->value, key.public_key().value);
  EXPECT_EQ(parse_public_key_file(format_plain_key_file(key))->value, key.public_key().value);
  EXPECT_EQ(as_text(file).find(to_hex(key.seed())), std::string_view::npos);
  EXPECT_EQ(KeyBox("").open(file).error().kind, ErrorKind::metadata_invalid);
}

TEST(PublicKeyFile, APointThatVerifiesAnythingIsRefused) {
  auto zero = SigningKey::generate().public_key();
  zero.value = std::string(64, '0');  // of small order
  EXPECT_EQ(parse_public_key_file(format_public_key_file(zero)).error().kind,
            ErrorKind::metadata_invalid);
  EXPECT_EQ(parse_public_key_file(Bytes(kMaxKeyFileBytes + 1, '{')).error().kind,
            ErrorKind::too_large);
}

}  // namespace
}  // namespace shoal::trust
