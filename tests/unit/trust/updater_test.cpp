// The client workflow against a repository that lies, one test per attack, and against an honest
// one that changes: every refusal leaves what was trusted before.
#include "trust/updater.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_repository.hpp"
#include "support/temp_dir.hpp"

namespace shoal::trust::test {
namespace {

using shoal::test::TempDir;
using ::testing::Contains;

struct Client : ::testing::Test {
  FakeRepository repository;
  TempDir directory;
  UtcSeconds now = kNow;

  void SetUp() override { trust_root(); }

  void trust_root() {
    auto trusted = trust_initial_root(directory.path(), repository.files["metadata/1.root.json"]);
    ASSERT_TRUE(trusted.has_value()) << trusted.error().describe();
  }
  Updater updater(Limits limits = {}) {
    return Updater(directory.path(), "metadata/", "targets/", repository, now, limits);
  }
  Result<void> refresh(Limits limits = {}) { return updater(limits).refresh(); }
  Result<Bytes> download(const std::string& path) {
    auto client = updater();
    SHOAL_ASSIGN(auto target, client.find_target(path));
    return client.download_target(target);
  }
  std::string kept(const std::string& name) const {
    return shoal::test::read_text(directory / name);
  }
  void expect_refused(ErrorKind kind, Limits limits = {}) {
    auto result = refresh(limits);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().kind, kind) << result.error().describe();
  }
  void expect_good() {
    auto result = refresh();
    ASSERT_TRUE(result.has_value()) << result.error().describe();
  }
};

TEST_F(Client, KeepsWhatItReceivedByteForByte) {
  expect_good();
  for (auto [kept_name, served] : {std::pair{"timestamp.json", "metadata/timestamp.json"},
                                   {"snapshot.json", "metadata/1.snapshot.json"},
                                   {"targets.json", "metadata/1.targets.json"},
                                   {"root.json", "metadata/1.root.json"}})
    EXPECT_EQ(kept(kept_name), as_text(repository.files[served]));
}

TEST_F(Client, DownloadsATargetAndRefusesOneByteChanged) {
  repository.add_target("game/1.0/release.json", "hello");
  repository.publish();
  auto bytes = download("game/1.0/release.json");
  ASSERT_TRUE(bytes.has_value()) << bytes.error().describe();
  EXPECT_EQ(as_text(*bytes), "hello");
  for (auto& [path, content] : repository.files)
    if (path.starts_with("targets/")) content[0] ^= 1;
  EXPECT_EQ(download("game/1.0/release.json").error().kind, ErrorKind::verification_failed);
  EXPECT_EQ(download("game/1.0/other").error().kind, ErrorKind::not_found);
}

TEST_F(Client, InconsistentSnapshotsHavePlainNames) {
  FakeRepository plain;
  plain.root.consistent_snapshot = false;
  plain.publish_root();
  plain.add_target("a/b", "content");
  plain.publish();
  TempDir other;
  ASSERT_TRUE(trust_initial_root(other.path(), plain.files["metadata/1.root.json"]));
  Updater client(other.path(), "metadata/", "targets/", plain, kNow);
  auto target = client.find_target("a/b");
  ASSERT_TRUE(target.has_value()) << target.error().describe();
  EXPECT_TRUE(client.download_target(*target).has_value());
  EXPECT_THAT(plain.requests, Contains("metadata/snapshot.json"));
  EXPECT_THAT(plain.requests, Contains("targets/a/b"));
}

TEST_F(Client, RefusesAnOlderTimestamp) {
  repository.timestamp.version = 5;
  repository.publish();
  expect_good();
  repository.timestamp.version = 4;
  repository.publish();
  auto before = kept("timestamp.json");
  expect_refused(ErrorKind::metadata_rollback);
  EXPECT_EQ(kept("timestamp.json"), before);
}

TEST_F(Client, AnEqualTimestampIsNoErrorAndTheOldOneStays) {
  expect_good();
  auto before = kept("timestamp.json");
  repository.timestamp.expires += kDay;
  repository.publish_timestamp();
  expect_good();
  EXPECT_EQ(kept("timestamp.json"), before);
}

TEST_F(Client, RefusesATimestampThatNamesAnOlderSnapshot) {
  repository.snapshot.version = 3;
  repository.publish();
  expect_good();
  repository.snapshot.version = 2;
  repository.timestamp.version = 2;
  repository.publish();
  expect_refused(ErrorKind::metadata_rollback);
}

TEST_F(Client, RefusesASnapshotWithOlderTargetsAfterARestart) {
  repository.targets["targets"].version = 7;
  repository.publish();
  expect_good();
  repository.targets["targets"].version = 6;
  ++repository.snapshot.version;
  ++repository.timestamp.version;
  repository.publish();
  auto before = kept("snapshot.json");
  expect_refused(ErrorKind::metadata_rollback);
  EXPECT_EQ(kept("snapshot.json"), before);
}

TEST_F(Client, RefusesASnapshotFromWhichARoleVanished) {
  repository.delegate("targets", "game", {"game/*"});
  repository.publish();
  expect_good();
  repository.targets.erase("game");
  repository.snapshot.meta.erase("game");
  repository.advance();
  expect_refused(ErrorKind::metadata_rollback);
}

TEST_F(Client, RefusesTargetsOlderThanTheSnapshotPromised) {
  repository.hashes_in_meta = false;
  repository.advance();
  repository.files["metadata/2.targets.json"] = repository.files["metadata/1.targets.json"];
  expect_refused(ErrorKind::metadata_rollback);
}

TEST_F(Client, MixAndMatchOfSnapshotsIsRefused) {
  repository.advance();
  repository.files["metadata/2.snapshot.json"] = repository.files["metadata/1.snapshot.json"];
  expect_refused(ErrorKind::verification_failed);
  repository.hashes_in_meta = false;
  repository.publish();
  repository.files["metadata/2.snapshot.json"] = repository.files["metadata/1.snapshot.json"];
  repository.timestamp.version = 3;
  repository.publish_timestamp();
  expect_refused(ErrorKind::metadata_rollback);
}

TEST_F(Client, FrozenTimestampSnapshotTargetsAndRootAreRefused) {
  expect_good();
  now = kNow + 8 * kDay;
  expect_refused(ErrorKind::metadata_expired);
  repository.timestamp.expires = kNow + 1000 * kDay;
  ++repository.timestamp.version;
  repository.publish_timestamp();
  expect_refused(ErrorKind::metadata_expired);  // the snapshot
  repository.snapshot.expires = kNow + 1000 * kDay;
  repository.advance();
  expect_good();
  now = kNow + 91 * kDay;
  expect_refused(ErrorKind::metadata_expired);  // targets
  repository.targets["targets"].expires = kNow + 1000 * kDay;
  repository.advance();
  expect_good();
  now = kNow + 366 * kDay;
  expect_refused(ErrorKind::metadata_expired);  // the root
}

TEST_F(Client, AnExpiredDelegatedRoleIsRefused) {
  repository.delegate("targets", "game", {"game/*"});
  repository.targets["game"].expires = kNow;
  repository.add_target("game/x", "x", "game");
  repository.publish();
  EXPECT_EQ(download("game/x").error().kind, ErrorKind::metadata_expired);
}

TEST_F(Client, AnIntermediateRootMayHaveExpiredButNotTheLast) {
  repository.root.version = 2;
  repository.root.expires = kNow - kDay;
  repository.publish_root();
  expect_refused(ErrorKind::metadata_expired);
  repository.root.version = 3;
  repository.root.expires = kNow + kDay;
  repository.publish_root();
  expect_good();
}

TEST_F(Client, RefusesARootThatIsNotExactlyTheNext) {
  for (std::uint64_t version : {1, 3}) {
    repository.root.version = version;
    repository.files["metadata/2.root.json"] =
        sign_root(repository.root, repository.signers("root"));
    auto before = kept("root.json");
    auto result = refresh();
    ASSERT_FALSE(result.has_value()) << version;
    EXPECT_EQ(kept("root.json"), before);
  }
}

TEST_F(Client, ARootMustBeSignedByTheOldAndByTheNewKeys) {
  auto old_keys = repository.keys["root"];
  repository.rotate("root");
  repository.root.version = 2;
  repository.publish_root();
  expect_refused(ErrorKind::signature_invalid);  // by the new alone
  std::vector<const SigningKey*> old_only = {&old_keys[0]};
  repository.files["metadata/2.root.json"] = sign_root(repository.root, old_only);
  auto before = kept("root.json");
  expect_refused(ErrorKind::signature_invalid);  // by the old alone
  EXPECT_EQ(kept("root.json"), before);
  std::vector<const SigningKey*> both = {&old_keys[0], &repository.keys["root"][0]};
  repository.files["metadata/2.root.json"] = sign_root(repository.root, both);
  expect_good();
}

TEST_F(Client, GoodRootsBeforeABadOneStayTrusted) {
  repository.root.version = 2;
  repository.publish_root();
  repository.root.version = 3;
  repository.publish_root();
  repository.files["metadata/3.root.json"][20] ^= 1;
  ASSERT_FALSE(refresh().has_value());
  EXPECT_EQ(kept("root.json"), as_text(repository.files["metadata/2.root.json"]));
}

TEST_F(Client, AnEndlessChainOfRootsIsCutAndGoesOnNextTime) {
  for (repository.root.version = 2; repository.root.version <= 6; ++repository.root.version)
    repository.publish_root();
  Limits limits;
  limits.roots_per_update = 3;
  expect_refused(ErrorKind::too_large, limits);
  EXPECT_EQ(kept("root.json"), as_text(repository.files["metadata/4.root.json"]));
  EXPECT_TRUE(refresh(limits).has_value());
}

TEST_F(Client, EndlessDataIsRefusedForEveryRole) {
  auto too_long = Bytes(20'000'000, '{');
  for (auto name : {"metadata/2.root.json", "metadata/timestamp.json", "metadata/1.snapshot.json",
                    "metadata/1.targets.json"})
    for (bool obeys : {true, false}) {
      FakeRepository fresh;
      TempDir folder;
      ASSERT_TRUE(trust_initial_root(folder.path(), fresh.files["metadata/1.root.json"]));
      fresh.files[name] = too_long;
      fresh.ignores_limit = !obeys;
      auto result = Updater(folder.path(), "metadata/", "targets/", fresh, kNow).refresh();
      ASSERT_FALSE(result.has_value()) << name;
    }
}

TEST_F(Client, ASignedButAbsurdLengthIsRefused) {
  repository.timestamp.snapshot.length = 1ULL << 40;
  repository.publish_timestamp();
  expect_refused(ErrorKind::too_large);
}

TEST_F(Client, KilledAfterTheTimestampItFinishesNextTime) {
  expect_good();
  repository.advance();
  repository.broken = {"metadata/2.snapshot.json"};
  expect_refused(ErrorKind::network);
  EXPECT_EQ(kept("timestamp.json"), as_text(repository.files["metadata/timestamp.json"]));
  repository.broken = {"metadata/2.targets.json"};
  expect_refused(ErrorKind::network);
  repository.broken.clear();
  expect_good();
  EXPECT_EQ(kept("targets.json"), as_text(repository.files["metadata/2.targets.json"]));
}

TEST_F(Client, AMissingFileIsTheRepositorysFaultAndRetryable) {
  repository.files.erase("metadata/1.snapshot.json");
  expect_refused(ErrorKind::source_unavailable);
}

TEST_F(Client, RotatedTimestampKeysRecoverFromAFastForward) {
  repository.timestamp.version = 1'000'000;
  repository.snapshot.version = 1'000'000;
  repository.publish();
  expect_good();
  repository.timestamp.version = repository.snapshot.version = 2;
  repository.publish();
  expect_refused(ErrorKind::metadata_rollback);
  repository.rotate("timestamp");
  repository.root.version = 2;
  repository.publish_root();
  repository.publish();
  expect_good();
  EXPECT_EQ(kept("timestamp.json"), as_text(repository.files["metadata/timestamp.json"]));
}

TEST_F(Client, AddingATimestampKeyIsARotationToo) {
  repository.timestamp.version = 1'000'000;
  repository.publish();
  expect_good();
  auto added = SigningKey::generate();
  repository.keys["timestamp"].push_back(added);
  repository.root.keys[added.id()] = added.public_key();
  repository.root.timestamp.key_ids.push_back(added.id());
  repository.root.version = 2;
  repository.publish_root();
  repository.timestamp.version = 2;
  repository.publish();
  expect_good();
}

TEST_F(Client, TheInitialRootIsCheckedAndNeverReplaced) {
  TempDir other;
  Bytes unsigned_root = sign_root(repository.root, {});
  EXPECT_EQ(trust_initial_root(other.path(), unsigned_root).error().kind,
            ErrorKind::signature_invalid);
  EXPECT_FALSE(std::filesystem::exists(other / "root.json"));
  FakeRepository stranger;
  EXPECT_EQ(
      trust_initial_root(directory.path(), stranger.files["metadata/1.root.json"]).error().kind,
      ErrorKind::conflict);
  EXPECT_TRUE(trust_initial_root(directory.path(), repository.files["metadata/1.root.json"]));
}

TEST_F(Client, ATargetPathThatEscapesIsRefusedBeforeAnythingIsFetched) {
  expect_good();
  for (auto path : {"../x", "/etc/passwd", "a/../../x", "", "a//b"}) {
    repository.targets["targets"].targets[path] = describe_target(as_bytes("x"));
    auto client = updater();
    EXPECT_EQ(client.find_target(path).error().kind, ErrorKind::path_invalid) << path;
  }
  for (const auto& request : repository.requests) EXPECT_EQ(request.find(".."), std::string::npos);
}

}  // namespace
}  // namespace shoal::trust::test
