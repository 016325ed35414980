// Delegations: patterns, the order of the search, and names and graphs made to do harm.
#include "trust/delegations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_repository.hpp"
#include "support/temp_dir.hpp"

namespace shoal::trust::test {
namespace {

using shoal::test::TempDir;

struct Delegations : ::testing::Test {
  FakeRepository repository;
  TempDir directory;

  void SetUp() override {
    ASSERT_TRUE(trust_initial_root(directory.path(), repository.files["metadata/1.root.json"]));
  }
  Result<TargetInfo> find(const std::string& path, Limits limits = {}) {
    Updater client(directory.path(), "metadata/", "targets/", repository, kNow, limits);
    return client.find_target(path);
  }
  // The role files fetched, in order.
  std::vector<std::string> visited() const {
    std::vector<std::string> out;
    for (const auto& request : repository.requests)
      if (request.starts_with("metadata/1.") && !request.ends_with("1.snapshot.json") &&
          !request.ends_with("1.targets.json"))
        out.push_back(request.substr(11, request.size() - 16));
    return out;
  }
};

TEST(PathPattern, StarAndQuestionMarkNeverCrossASlash) {
  EXPECT_TRUE(path_matches("game/*", "game/channels.json"));
  EXPECT_FALSE(path_matches("game/*", "game/1.0/release.json"));
  EXPECT_TRUE(path_matches("game/*/*", "game/1.0/release.json"));
  EXPECT_FALSE(path_matches("*", "a/b"));
  EXPECT_TRUE(path_matches("*", "ab"));
  EXPECT_TRUE(path_matches("a?c", "abc"));
  EXPECT_FALSE(path_matches("a?c", "a/c"));
  EXPECT_FALSE(path_matches("a?c", "ac"));
  EXPECT_TRUE(path_matches("*.tgz", "foo.tgz"));
  EXPECT_TRUE(path_matches("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(path_matches("A", "a"));
  EXPECT_FALSE(path_matches("[ab]", "a"));
  EXPECT_TRUE(path_matches("", ""));
  EXPECT_FALSE(path_matches("", "a"));
}

TEST(PathPattern, ManyStarsDoNotTakeExponentialTime) {
  std::string pattern, path(20'000, 'a');
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(path_matches(pattern + "b", path));
}

TEST_F(Delegations, ARoleSpeaksOnlyForItsPaths) {
  repository.delegate("targets", "game", {"game/*", "game/*/*"});
  repository.add_target("game/1.0/release.json", "good", "game");
  repository.add_target("other/1.0/release.json", "stolen", "game");
  repository.publish();
  EXPECT_TRUE(find("game/1.0/release.json").has_value());
  EXPECT_EQ(find("other/1.0/release.json").error().kind, ErrorKind::not_found);
}

TEST_F(Delegations, HashPrefixesSelectTargets) {
  auto hash = sha256(as_bytes("bin/file")).hex();
  auto& bin = repository.delegate("targets", "bin", {});
  bin.path_hash_prefixes = {hash.substr(0, 2)};
  repository.add_target("bin/file", "x", "bin");
  repository.publish();
  EXPECT_TRUE(find("bin/file").has_value());
}

TEST_F(Delegations, SearchIsPreOrder) {
  repository.delegate("targets", "a", {"*"});
  repository.delegate("targets", "b", {"*"});
  repository.delegate("a", "c", {"*"});
  repository.delegate("b", "d", {"*"});
  repository.publish();
  EXPECT_EQ(find("x").error().kind, ErrorKind::not_found);
  EXPECT_THAT(visited(), ::testing::ElementsAre("a", "c", "b", "d"));
}

TEST_F(Delegations, ATerminatingDelegationEndsTheSearch) {
  repository.delegate("targets", "a", {"*"}, true);
  repository.delegate("targets", "b", {"*"});
  repository.add_target("x", "hidden", "b");
  repository.publish();
  EXPECT_EQ(find("x").error().kind, ErrorKind::not_found);
  EXPECT_THAT(visited(), ::testing::ElementsAre("a"));
}

TEST_F(Delegations, CyclesEnd) {
  repository.delegate("targets", "a", {"*"});
  repository.delegate("a", "b", {"*"});
  repository.delegate("b", "a", {"*"});
  repository.publish();
  EXPECT_EQ(find("x").error().kind, ErrorKind::not_found);
}

TEST_F(Delegations, AGraphWithoutEndIsBounded) {
  std::string from = "targets";
  for (int i = 0; i < 20; ++i) {
    std::string to = "role" + std::to_string(i);
    repository.delegate(from, to, {"*"});
    from = to;
  }
  repository.publish();
  Limits limits;
  limits.delegations_visited = 8;
  EXPECT_EQ(find("x", limits).error().kind, ErrorKind::too_large);
  EXPECT_EQ(find("x").error().kind, ErrorKind::not_found);
}

TEST_F(Delegations, RoleNamesNeverLeaveTheFolderOrTakeATopLevelFile) {
  repository.delegate("targets", "../../evil", {"*"});
  repository.publish();
  EXPECT_EQ(find("x").error().kind, ErrorKind::not_found);
  EXPECT_TRUE(std::filesystem::exists(directory / "..%2F..%2Fevil.json"));
  EXPECT_FALSE(std::filesystem::exists(directory.path().parent_path().parent_path() / "evil.json"));
  for (std::string name : {std::string("root"), std::string("Timestamp"), std::string(),
                           std::string(5000, 'x'), std::string(100, '/')}) {
    FakeRepository other;
    other.delegate("targets", name, {"*"});
    other.publish();
    other.publish_root();
    TempDir folder;
    ASSERT_TRUE(trust_initial_root(folder.path(), other.files["metadata/1.root.json"]));
    Updater client(folder.path(), "metadata/", "targets/", other, kNow);
    EXPECT_EQ(client.refresh().error().kind, ErrorKind::metadata_invalid) << name.substr(0, 20);
  }
}

TEST_F(Delegations, ARoleNotInTheSnapshotIsRefused) {
  repository.delegate("targets", "game", {"*"});
  repository.publish();
  repository.snapshot.meta.erase("game");
  repository.publish_snapshot();
  repository.publish_timestamp();
  EXPECT_EQ(find("x").error().kind, ErrorKind::metadata_invalid);
}

TEST_F(Delegations, ACachedRoleIsVerifiedAgainstEachOfItsDelegators) {
  repository.delegate("targets", "a", {"a/*"});
  repository.delegate("targets", "b", {"b/*"});
  repository.delegate("a", "shared", {"*/*"});
  repository.delegate("b", "shared", {"*/*"});
  auto foreign = SigningKey::generate();  // b gives the role another key
  auto& in_b = repository.targets["b"];
  in_b.keys = {{foreign.id(), foreign.public_key()}};
  in_b.delegations[0].keys.key_ids = {foreign.id()};
  repository.add_target("a/x", "x", "shared");
  repository.add_target("b/x", "x", "shared");
  repository.publish();
  Updater client(directory.path(), "metadata/", "targets/", repository, kNow);
  EXPECT_TRUE(client.find_target("a/x").has_value());
  EXPECT_EQ(client.find_target("b/x").error().kind, ErrorKind::signature_invalid);
}

}  // namespace
}  // namespace shoal::trust::test
