// Thresholds, malformed metadata and canonical JSON, without any fetching.
#include "trust/verifier.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "fake_repository.hpp"
#include "trust/json.hpp"

namespace shoal::trust::test {
namespace {

using nlohmann::json;

Result<TrustedMetadata> judge(const Bytes& root) {
  Limits limits;
  limits.recompute_key_ids = false;  // the threshold must hold even then
  return TrustedMetadata::begin(root, kNow, limits);
}

// The root's file after a change, without a new signature.
Bytes altered(const FakeRepository& repository, const std::function<void(json&)>& change) {
  auto document = json::parse(repository.files.at("metadata/1.root.json"));
  change(document);
  return to_bytes(document.dump());
}

ErrorKind kind_of(const Bytes& root) {
  auto result = judge(root);
  EXPECT_FALSE(result.has_value());
  return result ? ErrorKind::internal : result.error().kind;
}

TEST(Threshold, NeedsThatManyDistinctKeys) {
  FakeRepository repository;
  repository.rotate("root", 3, 2);
  auto all = repository.signers("root");
  EXPECT_TRUE(judge(sign_root(repository.root, all)).has_value());
  EXPECT_TRUE(judge(sign_root(repository.root, std::span(all).first(2))).has_value());
  EXPECT_EQ(kind_of(sign_root(repository.root, std::span(all).first(1))),
            ErrorKind::signature_invalid);
  EXPECT_EQ(kind_of(sign_root(repository.root, {})), ErrorKind::signature_invalid);
}

TEST(Threshold, OneKeyUnderTwoNamesCountsOnce) {
  FakeRepository repository;
  const auto& key = repository.keys["root"][0];
  repository.root.keys["alias"] = key.public_key();
  repository.root.root = {{key.id(), "alias"}, 2};
  auto document = json::parse(sign_root(repository.root, repository.signers("root")));
  auto signature = document["signatures"][0];
  signature["keyid"] = "alias";
  document["signatures"].push_back(signature);
  EXPECT_EQ(kind_of(to_bytes(document.dump())), ErrorKind::signature_invalid);
}

TEST(Threshold, OneKeySpelledInUpperCaseCountsOnce) {
  FakeRepository repository;
  const auto& key = repository.keys["root"][0];
  PublicKey upper = key.public_key();
  for (auto& c : upper.value) c = static_cast<char>(std::toupper(c));
  repository.root.keys["alias"] = upper;
  repository.root.root = {{key.id(), "alias"}, 2};
  auto document = json::parse(sign_root(repository.root, repository.signers("root")));
  auto signature = document["signatures"][0];
  signature["keyid"] = "alias";
  document["signatures"].push_back(signature);
  EXPECT_EQ(kind_of(to_bytes(document.dump())), ErrorKind::signature_invalid);
}

TEST(Threshold, TwoSignaturesOfOneKeyIdAreRefused) {
  FakeRepository repository;
  EXPECT_EQ(
      kind_of(altered(repository,
                      [](json& root) { root["signatures"].push_back(root["signatures"][0]); })),
      ErrorKind::metadata_invalid);
}

TEST(Threshold, ZeroNegativeHugeAndFractionalAreRefused) {
  FakeRepository repository;
  for (json threshold : {json(0), json(-1), json(1ULL << 60), json(1.5), json("1"), json(nullptr)})
    EXPECT_EQ(kind_of(altered(
                  repository,
                  [&](json& root) { root["signed"]["roles"]["root"]["threshold"] = threshold; })),
              ErrorKind::metadata_invalid)
        << threshold;
}

TEST(Threshold, AHundredThousandSignaturesAreRefusedUnverified) {
  FakeRepository repository;
  EXPECT_EQ(kind_of(altered(repository,
                            [](json& root) {
                              json one = root["signatures"][0];
                              for (int i = 0; i < 100'000; ++i) {
                                one["keyid"] = std::to_string(i);
                                root["signatures"].push_back(one);
                              }
                            })),
            ErrorKind::too_large);
}

TEST(Signatures, OtherWhiteSpaceAndOrderVerifyButAnyOtherChangeDoesNot) {
  FakeRepository repository;
  EXPECT_TRUE(judge(altered(repository, [](json&) {})).has_value());
  EXPECT_EQ(kind_of(altered(repository, [](json& root) { root["signed"]["version"] = 2; })),
            ErrorKind::signature_invalid);
  EXPECT_EQ(kind_of(altered(repository, [](json& root) { root["signed"]["x"] = "y"; })),
            ErrorKind::signature_invalid);
}

TEST(Signatures, UnknownKeysAndSchemesNeverVerify) {
  FakeRepository repository;
  auto& key = repository.root.keys.at(repository.keys["root"][0].id());
  for (auto [type, scheme] : {std::pair{"ed448", "ed448"},
                              {"ed25519", "none"},
                              {"rsa", "rsassa-pss-sha256"},
                              {"ecdsa", "ecdsa-sha2-nistp256"}}) {
    key.type = type;
    key.scheme = scheme;
    EXPECT_EQ(kind_of(sign_root(repository.root, repository.signers("root"))),
              ErrorKind::signature_invalid);
  }
}

TEST(Metadata, WrongTypeVersionDateAndShapeAreRefused) {
  FakeRepository repository;
  auto with = [&](const char* member, json value) {
    return kind_of(altered(repository, [&](json& root) { root["signed"][member] = value; }));
  };
  EXPECT_EQ(with("_type", "targets"), ErrorKind::metadata_invalid);
  EXPECT_EQ(with("spec_version", "2.0.0"), ErrorKind::unsupported_version);
  EXPECT_EQ(with("version", 0), ErrorKind::metadata_invalid);
  EXPECT_EQ(with("version", -3), ErrorKind::metadata_invalid);
  EXPECT_EQ(with("version", 1.0), ErrorKind::metadata_invalid);
  EXPECT_EQ(with("expires", "2026-02-30T00:00:00Z"), ErrorKind::metadata_invalid);
  EXPECT_EQ(with("expires", "tomorrow"), ErrorKind::metadata_invalid);
  EXPECT_EQ(with("keys", json::array()), ErrorKind::metadata_invalid);
  EXPECT_EQ(with("roles", json::object()), ErrorKind::metadata_invalid);
  EXPECT_EQ(kind_of(to_bytes("")), ErrorKind::metadata_invalid);
  EXPECT_EQ(kind_of(to_bytes("[]")), ErrorKind::metadata_invalid);
  EXPECT_EQ(kind_of(to_bytes(std::string(200'000, '['))), ErrorKind::metadata_invalid);
}

TEST(Metadata, NoByteOfARootCanBeFlippedUnnoticed) {
  FakeRepository repository;
  const Bytes good = repository.files["metadata/1.root.json"];
  auto reference = judge(good);
  ASSERT_TRUE(reference.has_value());
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= 1;
    EXPECT_FALSE(judge(bad).has_value()) << "byte " << i;
  }
}

TEST(Metadata, RandomDamageNeverCrashes) {
  FakeRepository repository;
  const Bytes good = repository.files["metadata/1.targets.json"];
  constexpr unsigned kSeed = 20'261'122;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 2000; ++round) {
    Bytes bad = good;
    for (int i = 0; i < 4; ++i) bad[random() % bad.size()] = static_cast<std::uint8_t>(random());
    bad.resize(random() % (bad.size() + 1));
    static_cast<void>(parse_targets(bad, "targets", Limits{}));
  }
}

TEST(Json, CanonicalFormIsOlpcs) {
  auto parsed = parse_json(
      as_bytes("{ \"b\": [1, -2, true, null], \"a\": \"\\u00e9\\n\\\"\\\\/\" }"), 8, "x");
  ASSERT_TRUE(parsed.has_value());
  auto text = canonical_json(*parsed);
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(*text, "{\"a\":\"\xc3\xa9\n\\\"\\\\/\",\"b\":[1,-2,true,null]}");
  EXPECT_FALSE(canonical_json(json(1.0)).has_value());
}

TEST(Json, DoubledMembersAndBadUtf8AreRefused) {
  EXPECT_FALSE(parse_json(as_bytes(R"({"a":1,"a":2})"), 8, "x").has_value());
  EXPECT_FALSE(parse_json(as_bytes("\"\xff\""), 8, "x").has_value());
  EXPECT_FALSE(parse_json(as_bytes("1 2"), 8, "x").has_value());
  EXPECT_TRUE(parse_json(as_bytes("[[[[]]]]"), 4, "x").has_value());
  EXPECT_FALSE(parse_json(as_bytes("[[[[[]]]]]"), 4, "x").has_value());
}

}  // namespace
}  // namespace shoal::trust::test
