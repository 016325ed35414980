// Keys and thresholds as the delegator of a role describes them, each attack run on every role:
// the top-level ones in the root, "game" in the top-level targets. The description is signed by its
// owner in due form; what must stop it is the reading of it.
#include <gtest/gtest.h>

#include "world.hpp"

namespace shoal::trust::test {
namespace {

using nlohmann::json;
using K = ErrorKind;

struct RoleKeysOf : ::testing::TestWithParam<const char*> {
  std::string role = GetParam();
  World world;

  void SetUp() override {
    ASSERT_TRUE(world.update().has_value());
    world.advance();
  }
  void expect_refused(K kind) {
    auto refused = world.update();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, kind) << refused.error().describe();
    EXPECT_LT(world.disk.version_of(role), 6);  // none, where its keys were rotated
  }
  // The role's own file, with these signatures of its signed part.
  void sign_role(const std::vector<std::pair<std::string, const SigningKey*>>& signers) {
    world.change_document(role, [&](json& document) {
      document["signatures"] = json::array();
      for (const auto& [id, key] : signers) {
        auto signature = signature_of(document["signed"], *key);
        signature["keyid"] = id;
        document["signatures"].push_back(signature);
      }
    });
  }
  const SigningKey& key() { return world.repository.keys.at(role).front(); }
};

INSTANTIATE_TEST_SUITE_P(Each, RoleKeysOf, ::testing::ValuesIn(kEveryRole),
                         [](const auto& row) { return std::string(row.param); });

TEST_P(RoleKeysOf, ThresholdZeroAndItsFriendsAreRefused) {
  for (json threshold : {json(0), json(-1), json(1.5), json(1.0), json("1"), json(nullptr),
                         json(true), json::array({1}), json(1ULL << 40), json(1e300)}) {
    SCOPED_TRACE(threshold.dump());
    World fresh;
    ASSERT_TRUE(fresh.update().has_value());
    fresh.advance();
    fresh.change_role(role, [&](json& entry, json&) { entry["threshold"] = threshold; });
    auto refused = fresh.update();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, K::metadata_invalid) << refused.error().describe();
  }
}

TEST_P(RoleKeysOf, AThresholdThatNobodyCanReachIsNotMet) {
  world.change_role(role, [](json& entry, json&) { entry["threshold"] = 2; });
  expect_refused(K::signature_invalid);
}

TEST_P(RoleKeysOf, ARoleWithoutKeysIsSignedByNobody) {
  world.change_role(role, [](json& entry, json&) { entry["keyids"] = json::array(); });
  expect_refused(K::signature_invalid);
}

TEST_P(RoleKeysOf, AKeyNamedTwiceIsRefused) {
  world.change_role(role, [](json& entry, json&) {
    entry["keyids"].push_back(entry["keyids"][0]);
    entry["threshold"] = 2;
  });
  expect_refused(K::metadata_invalid);
}

TEST_P(RoleKeysOf, AKeyUnderAnotherIdIsRefused) {
  world.change_role(role, [](json& entry, json& keys) {
    keys[std::string(64, 'a')] = keys[entry["keyids"][0].get<std::string>()];
  });
  expect_refused(K::metadata_invalid);
}

TEST_P(RoleKeysOf, OneKeyUnderSeveralIdsCountsOnceEvenWhereIdsAreNotRecomputed) {
  world.limits.recompute_key_ids = false;
  const std::string id = key().id();
  world.change_role(role, [&](json& entry, json& keys) {
    keys["second"] = keys[id];
    keys["third"] = keys[id];
    auto& value = keys["third"]["keyval"]["public"].get_ref<std::string&>();
    for (auto& c : value) c = static_cast<char>(std::toupper(c));
    entry["keyids"] = {id, "second", "third"};
    entry["threshold"] = 2;
  });
  sign_role({{id, &key()}, {"second", &key()}, {"third", &key()}});
  expect_refused(K::signature_invalid);
}

TEST_P(RoleKeysOf, UnknownKeyTypesAreIgnoredAndNeverVerify) {
  const json unknown = {{"keytype", "sphincs"}, {"scheme", "shake"}, {"keyval", {{"x", {1}}}}};
  const std::string id = "c0ffee";
  world.limits.recompute_key_ids = false;
  world.change_role(role, [&](json& entry, json& keys) {
    keys[id] = unknown;
    entry["keyids"].push_back(id);
  });
  auto done = world.update();
  ASSERT_TRUE(done.has_value()) << done.error().describe();

  world.advance();
  world.change_role(role, [&](json& entry, json& keys) {
    keys[id] = unknown;
    entry["keyids"] = {id};
  });
  sign_role({{id, &key()}});
  auto refused = world.update();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, K::signature_invalid) << refused.error().describe();
}

TEST_P(RoleKeysOf, MoreKeysThanAllowedAreRefused) {
  world.change_role(role, [](json& entry, json&) {
    for (int i = 0; i < 1000; ++i) entry["keyids"].push_back(std::to_string(i));
  });
  expect_refused(K::too_large);
}

TEST_P(RoleKeysOf, AThresholdOfTwoIsMetByTwoKeysAndByNoFewer) {
  auto other = SigningKey::generate();
  world.change_role(role, [&](json& entry, json& keys) {
    keys[other.id()] = {{"keytype", "ed25519"},
                        {"scheme", "ed25519"},
                        {"keyval", {{"public", other.public_key().value}}}};
    entry["keyids"].push_back(other.id());
    entry["threshold"] = 2;
  });
  sign_role({{key().id(), &key()}});
  expect_refused(K::signature_invalid);
  sign_role({{key().id(), &key()}, {other.id(), &other}});
  auto done = world.update();
  EXPECT_TRUE(done.has_value()) << done.error().describe();
}

TEST(RaisedThreshold, DoesNotLetAnOlderTimestampIn) {
  // The timestamp that is kept has one signature only; two are asked for since. It still binds.
  World world;
  ASSERT_TRUE(world.update().has_value());
  auto other = SigningKey::generate();
  auto& repository = world.repository;
  repository.root.keys[other.id()] = other.public_key();
  repository.root.timestamp.key_ids.push_back(other.id());
  repository.keys["timestamp"].push_back(other);
  ++repository.root.version;
  repository.publish_root();  // a key more: a rotation, which drops the kept timestamp
  repository.publish_timestamp();
  ASSERT_TRUE(world.update().has_value());
  repository.root.timestamp.threshold = 2;
  ++repository.root.version;
  repository.publish_root();  // the same keys: no rotation
  repository.keys["timestamp"].pop_back();
  repository.publish_timestamp();  // by one key, version 5
  world.disk.files["timestamp.json"] = world.file("timestamp");
  repository.keys["timestamp"].push_back(other);
  repository.timestamp.version = 4;
  repository.publish_timestamp();  // by both, but older
  auto refused = world.update();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, K::metadata_rollback) << refused.error().describe();
  repository.timestamp.version = 5;
  repository.publish_timestamp();  // the same version, now by both
  auto done = world.update();
  ASSERT_TRUE(done.has_value()) << done.error().describe();
  EXPECT_EQ(world.disk.files["timestamp.json"], world.file("timestamp"));
}

}  // namespace
}  // namespace shoal::trust::test
