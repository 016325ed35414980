// Key files and signatures.
#include "trust/signing.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace shoal::trust {
namespace {

using nlohmann::json;

TEST(SigningKey, SignaturesVerifyWithItsPublicKeyOnly) {
  auto key = SigningKey::generate(), other = SigningKey::generate();
  auto signature = key.sign(as_bytes("message"));
  EXPECT_EQ(check_signature(key.public_key(), as_bytes("message"), signature).check,
            SignatureCheck::good);
  EXPECT_EQ(check_signature(key.public_key(), as_bytes("messagf"), signature).check,
            SignatureCheck::bad);
  EXPECT_EQ(check_signature(other.public_key(), as_bytes("message"), signature).check,
            SignatureCheck::bad);
}

TEST(SigningKey, MatchesRfc8032) {  // section 7.1, test 1
  auto seed_bytes = from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
  SigningKey::Seed seed;
  std::copy(seed_bytes->begin(), seed_bytes->end(), seed.begin());
  auto key = SigningKey::from_seed(seed);
  EXPECT_EQ(key.public_key().value,
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  EXPECT_EQ(
      to_hex(key.sign({})),
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
      "cf9b46bd25bf5f0595bbe24655141438e7a100b");
}

TEST(KeyFile, OpensWithItsPassphraseOnly) {
  auto key = SigningKey::generate();
  auto file = KeyBox("correct horse", kMinKdfCost).seal(key);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_TRUE(key_file_is_sealed(*file).value());
  auto opened = KeyBox("correct horse").open(*file);
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  EXPECT_EQ(opened->id(), key.id());
  EXPECT_EQ(KeyBox("wrong").open(*file).error().kind, ErrorKind::wrong_passphrase);
  EXPECT_EQ(as_text(*file).find(to_hex(key.seed())), std::string_view::npos);
}

TEST(KeyFile, FilesOfOneBoxShareADerivationButNoNonce) {
  KeyBox box("p", kMinKdfCost);
  auto a = json::parse(*box.seal(SigningKey::generate()));
  auto b = json::parse(*box.seal(SigningKey::generate()));
  EXPECT_EQ(a["kdf_salt"], b["kdf_salt"]);
  EXPECT_NE(a["nonce"], b["nonce"]);
}

TEST(KeyFile, PlainFilesOpenWithoutAPassphrase) {
  auto key = SigningKey::generate();
  auto file = format_plain_key_file(key);
  EXPECT_FALSE(key_file_is_sealed(file).value());
  EXPECT_EQ(KeyBox("").open(file)->id(), key.id());
}

TEST(KeyFile, ASwappedPublicKeyAndHostileParametersAreRefused) {
  auto sealed = json::parse(*KeyBox("p", kMinKdfCost).seal(SigningKey::generate()));
  auto open_with = [&](const char* member, json value) {
    json changed = sealed;
    changed[member] = value;
    auto result = KeyBox("p").open(to_bytes(changed.dump()));
    EXPECT_FALSE(result.has_value()) << member;
    return result ? ErrorKind::internal : result.error().kind;
  };
  EXPECT_EQ(open_with("public", SigningKey::generate().public_key().value),
            ErrorKind::wrong_passphrase);
  EXPECT_EQ(open_with("kdf_memory_bytes", 1ULL << 50), ErrorKind::metadata_invalid);
  EXPECT_EQ(open_with("kdf_passes", 1'000'000), ErrorKind::metadata_invalid);
  EXPECT_EQ(open_with("secret", "00"), ErrorKind::metadata_invalid);
  EXPECT_EQ(open_with("kdf", "md5"), ErrorKind::unsupported_version);
  EXPECT_EQ(open_with("format_version", 2), ErrorKind::unsupported_version);
  EXPECT_EQ(KeyBox("p").open(to_bytes("{")).error().kind, ErrorKind::metadata_invalid);
}

// A signature's key id is anybody's: whoever passes metadata on may add signatures to it.
TEST(JoinSignatures, AKeyIdOfAnyCharactersReadsBack) {
  auto key = SigningKey::generate();
  auto text = signed_bytes_of(Snapshot{1, UtcSeconds{}, {}});
  std::string strange = "12\b\x1f\"\\\xc3\xa9";
  auto file = join_signatures(text, {{strange, Bytes{1}}, sign_bytes(key, text)});
  auto document = parse_snapshot(file, Limits{});
  ASSERT_TRUE(document.has_value()) << document.error().message;
  ASSERT_EQ(document->signatures.size(), 2u);
  EXPECT_EQ(document->signatures[0].key_id, strange);
  EXPECT_EQ(document->signatures[1].key_id, key.id());
  EXPECT_EQ(document->signed_bytes, text);
}

}  // namespace
}  // namespace shoal::trust
