// What stands deeper in the metadata of each kind: hashes, lengths, versions of other files,
// delegations. One row per attack, signed by the right keys; the client must refuse it in words
// that name the role, keep what it had, and follow the next honest version.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include "world.hpp"

namespace shoal::trust::test {
namespace {

using nlohmann::json;
using K = ErrorKind;

struct Member {
  std::string name;
  std::string role;
  World::Change change;
  K kind = K::metadata_invalid;
};

// Of the file entry that `role` signs: in the timestamp that of the snapshot, in the snapshot that
// of "game".
json& entry_of(const std::string& role, json& body) {
  return body["meta"][role == "timestamp" ? "snapshot.json" : "game.json"];
}

std::vector<Member> members() {
  std::vector<Member> rows;
  for (std::string role : {"timestamp", "snapshot"}) {
    auto entry = [&](std::string name, const char* member, json value, K kind) {
      rows.push_back({fmt::format("{}_{}", role, name), role,
                      [role, member, value](json& body) { entry_of(role, body)[member] = value; },
                      kind});
    };
    entry("names_version_0", "version", 0, K::metadata_invalid);
    entry("names_a_version_in_letters", "version", "6", K::metadata_invalid);
    entry("names_a_negative_length", "length", -1, K::metadata_invalid);
    entry("names_hashes_that_are_a_list", "hashes", json::array(), K::metadata_invalid);
    entry("names_a_hash_that_is_a_number", "hashes", {{"sha256", 7}}, K::metadata_invalid);
    entry("names_a_hash_too_short", "hashes", {{"sha256", "ab"}}, K::metadata_invalid);
    entry("names_a_sha512_too_short", "hashes", {{"sha512", "ab"}}, K::metadata_invalid);
    entry("names_a_sha512_of_no_digits", "hashes", {{"sha512", std::string(128, 'x')}},
          K::metadata_invalid);
    rows.push_back({role + "_names_an_entry_that_is_none", role,
                    [role](json& body) { entry_of(role, body) = 6; }});
    rows.push_back({role + "_without_meta", role, [](json& body) { body.erase("meta"); }});
  }
  rows.push_back({"snapshot_lists_what_is_no_metadata", "snapshot",
                  [](json& body) { body["meta"]["game.txt"] = {{"version", 1}}; }});
  rows.push_back({"root_whose_consistent_snapshot_is_a_text", "root",
                  [](json& body) { body["consistent_snapshot"] = "yes"; }});
  for (std::string role : {"root", "timestamp", "snapshot", "targets", "game"})
    for (std::string date :
         {"2030-01-01T24:00:00Z", "2030-01-01T00:60:00Z", "2030-01-01T00:00:60Z",
          "2030-13-01T00:00:00Z", "2030-01-01T00:00:00z", "2030-01-01 00:00:00Z"})
      rows.push_back({fmt::format("{}_good_until_{}", role, date), role,
                      [date](json& body) { body["expires"] = date; }});
  for (std::string role : {"root", "timestamp", "snapshot", "targets", "game"})
    rows.push_back({role + "_of_specification_1_without_more", role,
                    [](json& body) { body["spec_version"] = "1."; }, K::unsupported_version});
  for (std::string role : {"targets", "game"}) {
    auto target = [&](std::string name, json value) {
      rows.push_back({fmt::format("{}_with_a_target_{}", role, name), role,
                      [value](json& body) { body["targets"]["game/file"] = value; }});
    };
    target("that_is_none", 1);
    target("without_hashes", {{"length", 1}});
    target("without_length", {{"hashes", {{"sha256", std::string(64, 'a')}}}});
    target("of_negative_length", {{"length", -1}, {"hashes", {{"sha256", std::string(64, 'a')}}}});
    target("with_half_a_hash", {{"length", 1}, {"hashes", {{"sha256", std::string(32, 'a')}}}});
  }
  auto delegation = [&](std::string name, std::function<void(json&)> change) {
    rows.push_back({"targets_with_a_delegation_" + name, "targets",
                    [change](json& body) { change(body["delegations"]); }});
  };
  delegation("that_terminates_in_letters",
             [](json& all) { all["roles"][0]["terminating"] = "yes"; });
  delegation("named_twice", [](json& all) { all["roles"].push_back(all["roles"][0]); });
  delegation("of_a_name_that_is_a_number", [](json& all) { all["roles"][0]["name"] = 7; });
  delegation("of_an_empty_name", [](json& all) { all["roles"][0]["name"] = ""; });
  delegation("of_a_name_too_long",
             [](json& all) { all["roles"][0]["name"] = std::string(200, 'x'); });
  delegation("of_a_top_level_name", [](json& all) { all["roles"][0]["name"] = "Targets"; });
  delegation("whose_paths_are_a_text", [](json& all) { all["roles"][0]["paths"] = "game/*"; });
  delegation("of_a_path_that_is_a_number", [](json& all) { all["roles"][0]["paths"] = {1}; });
  delegation("without_keys", [](json& all) { all.erase("keys"); });
  delegation("without_roles", [](json& all) { all.erase("roles"); });
  delegation("whose_keys_are_a_list", [](json& all) { all["keys"] = json::array(); });
  delegation("of_a_role_that_is_none", [](json& all) { all["roles"][0] = "game"; });
  return rows;
}

TEST(Members, EachThatIsWrongIsRefusedNamedAndRecoveredFrom) {
  for (const auto& row : members()) {
    SCOPED_TRACE(row.name);
    World world;
    ASSERT_TRUE(world.update().has_value());
    world.advance();
    world.change_signed(row.role, row.change);
    auto refused = world.update();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, row.kind) << refused.error().describe();
    EXPECT_NE(refused.error().message.find(row.role), std::string::npos)
        << refused.error().describe();
    EXPECT_EQ(world.disk.version_of(row.role), 5U);
    if (row.role == "root") world.repository.publish_root();
    world.advance();
    auto honest = world.update();
    EXPECT_TRUE(honest.has_value()) << honest.error().describe();
  }
}

TEST(Members, ARootThatDoesNotSaySoHasNoConsistentSnapshots) {
  World world(false);
  world.advance();
  world.change_signed("root", [](json& body) { body.erase("consistent_snapshot"); });
  EXPECT_TRUE(world.update().has_value());
}

// Two delegations of one name and different keys: which keys count must not depend on the reader.
TEST(Members, OneRoleDelegatedTwiceWithDifferentKeysIsRefused) {
  World world;
  ASSERT_TRUE(world.update().has_value());
  world.advance();
  const auto stranger = SigningKey::generate();
  world.change_signed("targets", [&](json& body) {
    auto& all = body["delegations"];
    auto second = all["roles"][0];
    second["keyids"] = {stranger.id()};
    all["keys"][stranger.id()] = format_public_key(stranger.public_key());
    all["roles"].push_back(second);
  });
  auto refused = world.update();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, K::metadata_invalid);
}

// The metadata below a role, where the one above names its length and hashes: the same content
// signed again with another white space, or something beside the signed part, is another file.
struct Hashed : ::testing::TestWithParam<std::tuple<const char*, bool>> {
  std::string role = std::get<0>(GetParam());
  World world{std::get<1>(GetParam())};

  void SetUp() override {
    world.repository.hashes_in_meta = true;
    world.advance();
    ASSERT_TRUE(world.update().has_value());
    world.advance();
  }
};
INSTANTIATE_TEST_SUITE_P(Each, Hashed,
                         ::testing::Combine(::testing::Values("snapshot", "targets", "game"),
                                            ::testing::Bool()),
                         [](const auto& row) {
                           return std::string(std::get<0>(row.param)) +
                                  (std::get<1>(row.param) ? "_consistent" : "_plain");
                         });

TEST_P(Hashed, AFileOfTheSameLengthIsNotTheOneThatWasPromised) {
  // Outside of what is signed: every signature is good.
  world.change_document(role, [](json& document) { document["x"] = 1; });
  const Bytes good = world.file(role);
  auto text = std::string(as_text(good));
  text.replace(text.find("\"x\":1"), 5, "\"x\":2");
  // The one above names the file with 1, and the one with 2 is served.
  world.repository.files[world.file_name(role)] = good;
  auto& repository = world.repository;
  if (role == "snapshot") {
    repository.timestamp.snapshot = describe_metadata(good, repository.snapshot.version);
  } else {
    repository.snapshot.meta[role] = describe_metadata(good, repository.targets.at(role).version);
    repository.publish_snapshot();
  }
  repository.publish_timestamp();
  World honest = world;
  world.file(role) = to_bytes(text);
  auto refused = world.update();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, K::verification_failed) << refused.error().describe();
  EXPECT_EQ(world.disk.version_of(role), 6U);
  auto done = honest.update();
  EXPECT_TRUE(done.has_value()) << done.error().describe();
}

TEST_P(Hashed, AFileThatIsLongerOrShorterIsRefused) {
  for (bool longer : {true, false}) {
    World client = world;
    auto& file = client.file(role);
    if (longer)
      file.push_back(' ');
    else
      file.pop_back();
    auto refused = client.update();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, longer ? K::too_large : K::verification_failed);
  }
}

TEST_P(Hashed, NoMoreIsAskedForThanTheLengthThatWasPromised) {
  const auto length = world.file(role).size();
  ASSERT_TRUE(world.update().has_value());
  EXPECT_EQ(world.repository.most_asked_for.at(world.file_name(role)), length);
}

TEST_P(Hashed, ALengthBeyondOurOwnLimitIsNotEvenAskedFor) {
  const std::string above = role == "snapshot" ? "timestamp" : "snapshot";
  world.repository.hashes_in_meta = false;
  world.advance();
  world.change_signed(
      above, [&](json& body) { body["meta"][role + ".json"]["length"] = std::uint64_t{1} << 40; });
  world.repository.requests.clear();
  auto refused = world.update();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, K::too_large);
  for (const auto& request : world.repository.requests) EXPECT_NE(request, world.file_name(role));
}

TEST_P(Hashed, HashesOfUnknownKindsAloneAreNoPromise) {
  const std::string above = role == "snapshot" ? "timestamp" : "snapshot";
  world.repository.hashes_in_meta = false;
  world.advance();
  world.change_signed(
      above, [&](json& body) { body["meta"][role + ".json"]["hashes"] = {{"blake3", "ab"}}; });
  auto refused = world.update();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, K::verification_failed);
}

TEST(HashedTargets, ATargetBeyondOurOwnLimitIsNotEvenAskedFor) {
  World world;
  world.limits.target_file_bytes = 6;
  world.repository.requests.clear();
  EXPECT_EQ(world.download("game/file").error().kind, K::too_large);
  for (const auto& request : world.repository.requests)
    EXPECT_FALSE(request.starts_with("targets/"));
  world.limits.target_file_bytes = 7;
  EXPECT_TRUE(world.download("game/file").has_value());
}

// Somebody who can write into the client's folder, or a disk that changed: what no key of the role
// signed must not bind, or the client would be stuck for ever.
TEST(Planted, WhatNoKeyOfTheRoleSignedDoesNotBind) {
  for (std::string role : {"timestamp", "snapshot", "targets", "game"}) {
    SCOPED_TRACE(role);
    World world;
    ASSERT_TRUE(world.update().has_value());
    World stranger;
    for (auto* version : {&stranger.repository.timestamp.version, &stranger.version("snapshot"),
                          &stranger.version("targets"), &stranger.version("game")})
      *version = 1'000'000;
    stranger.repository.publish();
    world.disk.files[role + ".json"] = stranger.file(role);
    world.advance();
    auto done = world.update();
    ASSERT_TRUE(done.has_value()) << done.error().describe();
    EXPECT_EQ(world.disk.version_of(role), 6U);
  }
}

}  // namespace
}  // namespace shoal::trust::test
