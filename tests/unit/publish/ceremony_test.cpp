// The key ceremony with real clients: every change of keys, as seen by clients that last refreshed
// before it, and by a thief who holds what was stolen.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "publish/check.hpp"
#include "publish/doctor.hpp"
#include "publish/repository.hpp"
#include "publish/review.hpp"
#include "publish/root_proposal.hpp"
#include "support/temp_dir.hpp"
#include "trust/updater.hpp"
#include "write_quickly.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr UtcSeconds kNow{std::chrono::seconds(1'800'000'000)};

Result<std::string> no_passphrase(const fs::path&) { return std::string(); }

// A repository with the keys that `init` makes, all in one folder, and keys of holders besides.
struct Ceremony : ::testing::Test {
  test::TempDir folder;
  fs::path repository = folder / "repository";
  WorkerPool pool{2};
  Environment environment{kNow, {}, write_quickly};

  void SetUp() override {
    KeyStore store(folder / "keys", no_passphrase);
    ASSERT_TRUE(init_repository(repository, store, true, {}, environment));
    folder.write("tree/game", std::string(5000, 'g'));
    fs::create_directories(folder / "holders");
  }
  KeyStore keys(const std::vector<std::string>& places = {"keys"}) const {
    std::vector<fs::path> paths;
    paths.reserve(places.size());
    for (const auto& place : places) paths.push_back(folder / place);
    return KeyStore(paths, no_passphrase);
  }
  fs::path file(const std::string& name) const { return folder / ("holders/" + name + ".key"); }
  trust::PublicKey make_key(const std::string& name) {
    return make_key_file(file(name), true, no_passphrase).value();
  }
  void sign(Proposal& proposal, const fs::path& key_file) {
    KeyStore store(key_file, no_passphrase);
    auto checked = check_proposal(proposal);
    ASSERT_TRUE(checked) << checked.error().describe();
    auto id = trust::key_id(read_public_key(key_file).value());
    auto opened = store.signers({{id}, 1});
    ASSERT_EQ(opened->size(), 1U);
    auto roles = sign_proposal(proposal, *checked, *opened->front());
    ASSERT_TRUE(roles) << roles.error().describe();
    // As if it had been carried away and back.
    auto again = parse_proposal(format_proposal(proposal));
    ASSERT_TRUE(again) << again.error().describe();
    proposal = *std::move(again);
  }
  Proposal propose(const RootChange& change) {
    Layout layout(repository);
    auto state = load_state(layout);
    EXPECT_TRUE(state) << state.error().describe();
    auto proposal = propose_root(layout, *state, change, environment.now,
                                 {std::chrono::days(365), std::chrono::days(90)});
    EXPECT_TRUE(proposal) << proposal.error().describe();
    return proposal.value_or(Proposal{});
  }
  Result<ApplyReport> apply(const Proposal& proposal, std::vector<std::string> places = {"keys"}) {
    SHOAL_ASSIGN(auto opened, Repository::open(repository, environment));
    auto store = keys(places);
    return opened.apply(proposal, store);
  }
  // Root 2: alice, bob and carol, two of whom must sign.
  void three_holders() {
    RootChange change;
    for (auto name : {"alice", "bob", "carol"}) change.add.push_back({"root", make_key(name)});
    change.rotate.insert("root");
    change.thresholds["root"] = 2;
    auto proposal = propose(change);
    sign(proposal, folder / "keys/root.key");
    sign(proposal, file("alice"));
    sign(proposal, file("bob"));
    auto applied = apply(proposal);
    ASSERT_TRUE(applied) << applied.error().describe();
  }
  Result<ReleaseReport> release(const std::string& version, std::vector<std::string> places,
                                bool may_propose = false) {
    SHOAL_ASSIGN(auto opened, Repository::open(repository, environment));
    auto store = keys(places);
    ReleaseRequest request;
    request.tree = folder / "tree";
    request.build.product = "game";
    request.build.version = version;
    request.may_propose = may_propose;
    return opened.release(request, store, pool);
  }
  Result<ChangeReport> delegate(const std::vector<std::string>& names, std::uint32_t threshold,
                                std::vector<std::string> places) {
    SHOAL_ASSIGN(auto opened, Repository::open(repository, environment));
    DelegateRequest request{"game", {}, threshold, true};
    for (const auto& name : names) request.keys.push_back(read_public_key(file(name)).value());
    auto store = keys(places);
    return opened.delegate(request, store);
  }

  // A client that trusts the first root, and what it keeps from one refresh to the next.
  Result<void> refresh_client(const std::string& name) {
    auto metadata = folder / ("clients/" + name);
    auto root = read_file(repository / "metadata/1.root.json", 1 << 20);
    if (!fs::exists(metadata / "root.json")) SHOAL_TRY(trust::trust_initial_root(metadata, *root));
    DirectoryFetcher fetcher(repository);
    trust::Updater client(metadata, "metadata/", "targets/", fetcher, environment.now);
    SHOAL_TRY(client.refresh());
    for (const auto& product : client.delegated_roles()) {
      SHOAL_ASSIGN(auto target, client.find_target(product + "/channels.json"));
      SHOAL_TRY(client.download_target(target));
    }
    return {};
  }
  void expect_clients_follow(const std::vector<std::string>& names) {
    for (const auto& name : names) {
      auto refreshed = refresh_client(name);
      EXPECT_TRUE(refreshed) << name << ": " << refreshed.error().describe();
    }
    auto report = check_repository(repository, environment.now, pool);
    ASSERT_TRUE(report);
    for (const auto& finding : report->findings)
      ADD_FAILURE() << finding.path << ": " << finding.problem;
  }
};

TEST_F(Ceremony, ALostRootKeyIsReplacedByTheOtherHolders) {
  ASSERT_TRUE(refresh_client("old"));
  three_holders();
  ASSERT_TRUE(refresh_client("middle"));
  RootChange change;
  change.remove.push_back({"", trust::key_id(read_public_key(file("carol")).value())});
  change.add.push_back({"root", make_key("carol-2")});
  auto proposal = propose(change);
  sign(proposal, file("alice"));
  EXPECT_EQ(apply(proposal).error().kind, ErrorKind::signature_invalid);
  sign(proposal, file("bob"));
  ASSERT_TRUE(apply(proposal));
  expect_clients_follow({"old", "middle", "new"});
}

TEST_F(Ceremony, AStolenRootKeyBelowTheThresholdSignsNothingAndIsReplaced) {
  three_holders();
  // The thief proposes keys of his own, and signs with the one that he has.
  RootChange theft;
  theft.rotate.insert("root");
  theft.add.push_back({"root", make_key("thief")});
  theft.thresholds["root"] = 1;
  auto forged = propose(theft);
  sign(forged, file("bob"));
  sign(forged, file("thief"));
  EXPECT_EQ(apply(forged).error().kind, ErrorKind::signature_invalid);
  ASSERT_TRUE(write_quickly(repository / "metadata/3.root.json", forged.roles[0].file()));
  EXPECT_EQ(refresh_client("victim").error().kind, ErrorKind::signature_invalid);
  fs::remove(repository / "metadata/3.root.json");

  RootChange change;
  change.remove.push_back({"", trust::key_id(read_public_key(file("bob")).value()).substr(0, 8)});
  change.add.push_back({"root", make_key("bob-2")});
  auto proposal = propose(change);
  sign(proposal, file("alice"));
  sign(proposal, file("carol"));
  ASSERT_TRUE(apply(proposal));
  expect_clients_follow({"victim", "new"});
  // What the stolen key signed counts no more.
  auto again = propose(theft);
  auto checked = check_proposal(again);
  EXPECT_THAT(roles_of_key(*checked, trust::key_id(read_public_key(file("bob")).value())),
              IsEmpty());
}

TEST_F(Ceremony, AStolenTimestampKeyIsRotatedAndAFastForwardUndone) {
  ASSERT_TRUE(release("1.0", {"keys"}));
  ASSERT_TRUE(refresh_client("before"));
  // The thief serves a timestamp from far ahead, which would outlast every honest one.
  Layout layout(repository);
  auto state = load_state(layout);
  auto store = keys();
  auto stolen = store.signers(state->root.timestamp).value();
  auto forged = state->timestamp;
  forged.version = 1'000'000;
  auto honest = test::read_text(layout.timestamp());
  ASSERT_TRUE(write_quickly(layout.timestamp(), trust::sign_timestamp(forged, stolen)));
  ASSERT_TRUE(refresh_client("victim"));
  ASSERT_TRUE(write_quickly(layout.timestamp(), as_bytes(honest)));
  EXPECT_EQ(refresh_client("victim").error().kind, ErrorKind::metadata_rollback);

  RootChange change;
  change.rotate.insert("timestamp");
  change.add.push_back({"timestamp", make_key("timestamp-2")});
  auto proposal = propose(change);
  sign(proposal, folder / "keys/root.key");
  auto applied = apply(proposal, {"keys", "holders"});
  ASSERT_TRUE(applied) << applied.error().describe();
  EXPECT_TRUE(applied->seamless);
  expect_clients_follow({"before", "victim", "new"});
  fs::remove(folder / "keys/timestamp.key");
  auto opened = Repository::open(repository, environment);
  auto online = keys({"keys", "holders"});
  environment.now += std::chrono::days(5);
  opened = Repository::open(folder / "nowhere", environment);  // lets the lock go
  opened = Repository::open(repository, environment);
  ASSERT_TRUE(opened) << opened.error().describe();
  EXPECT_THAT(opened->refresh(online)->renewed, Contains("timestamp"));
  ASSERT_TRUE(write_quickly(layout.timestamp(), trust::sign_timestamp(forged, stolen)));
  EXPECT_EQ(refresh_client("before").error().kind, ErrorKind::signature_invalid);
}

TEST_F(Ceremony, AStolenProductKeyIsReplacedAndWhatItSignsIsRefused) {
  make_key("dana");
  make_key("dana-2");
  ASSERT_TRUE(delegate({"dana"}, 1, {"keys", "holders"}));
  ASSERT_TRUE(release("1.0", {"keys", "holders"}));
  ASSERT_TRUE(refresh_client("before"));
  auto report = delegate({"dana-2"}, 1, {"keys", "holders"});
  ASSERT_TRUE(report) << report.error().describe();
  EXPECT_FALSE(report->proposal);
  expect_clients_follow({"before", "new"});
  fs::remove(file("dana-2"));
  folder.write("tree/game", std::string(6000, 'x'));
  EXPECT_EQ(release("2.0", {"keys", "holders"}).error().kind, ErrorKind::not_allowed);
}

TEST_F(Ceremony, AReleaseOfTwoHoldersWaitsForBothAndOutlivesARefresh) {
  make_key("dana");
  make_key("erin");
  auto delegated = delegate({"dana", "erin"}, 2, {"keys", "holders"});
  ASSERT_TRUE(delegated) << delegated.error().describe();
  EXPECT_FALSE(delegated->proposal);
  fs::create_directories(folder / "dana");
  fs::rename(file("dana"), folder / "dana/dana.key");
  EXPECT_EQ(release("1.0", {"dana"}).error().kind, ErrorKind::not_allowed);
  auto report = release("1.0", {"dana"}, true);
  ASSERT_TRUE(report) << report.error().describe();
  ASSERT_TRUE(report->proposal);
  expect_clients_follow({"client"});

  environment.now += std::chrono::days(20);
  {
    auto opened = Repository::open(repository, environment);
    auto store = keys();
    ASSERT_TRUE(opened->refresh(store)->renewed.size() == 2U);
  }
  auto proposal = *report->proposal;
  EXPECT_EQ(apply(proposal).error().kind, ErrorKind::signature_invalid);
  sign(proposal, file("erin"));
  auto checked = check_proposal(proposal);
  auto review = review_proposal(proposal, *checked, environment.now);
  EXPECT_TRUE(review.complete);
  EXPECT_THAT(review.changes, Contains(HasSubstr("adds release game/1.0")));
  EXPECT_THAT(review.changes, Contains(HasSubstr("channel stable points at 1.0")));
  auto applied = apply(proposal);
  ASSERT_TRUE(applied) << applied.error().describe();
  expect_clients_follow({"client", "new"});
  EXPECT_TRUE(fs::is_empty(repository / ".pending"));
  EXPECT_EQ(apply(proposal).error().kind, ErrorKind::conflict);
}

TEST_F(Ceremony, KeysOfTargetsChangeTogetherWithItsMetadata) {
  ASSERT_TRUE(release("1.0", {"keys"}));
  ASSERT_TRUE(refresh_client("before"));
  RootChange change;
  change.rotate = {"targets", "snapshot"};
  change.add = {{"targets", make_key("targets-2")}, {"snapshot", make_key("snapshot-2")}};
  auto proposal = propose(change);
  ASSERT_EQ(proposal.roles.size(), 2U);
  sign(proposal, folder / "keys/root.key");
  sign(proposal, file("targets-2"));
  auto applied = apply(proposal, {"keys", "holders"});
  ASSERT_TRUE(applied) << applied.error().describe();
  expect_clients_follow({"before", "new"});
}

// The repository is killed before its n-th write, for every n, with the old keys at hand and with
// the old timestamp key lost: at each moment every client is served, and the next try succeeds.
TEST_F(Ceremony, ARootChangeStoppedBeforeAnyWriteLeavesEveryClientServed) {
  ASSERT_TRUE(release("1.0", {"keys"}));
  ASSERT_TRUE(refresh_client("before"));
  for (bool lost : {false, true}) {
    auto name = fmt::format("timestamp-{}", lost ? "lost" : "kept");
    RootChange change;
    change.rotate.insert("timestamp");
    change.add.push_back({"timestamp", make_key(name)});
    auto proposal = propose(change);
    sign(proposal, folder / "keys/root.key");
    if (lost) fs::remove(file("timestamp-kept"));
    bool finished = false;
    for (int limit = 0; !finished; ++limit) {
      ASSERT_LT(limit, 20);
      int writes = 0;
      environment.write = [&](const fs::path& path, ByteView bytes) -> Result<void> {
        if (writes++ >= limit) return fail(ErrorKind::disk_full, "stopped by the test");
        return write_quickly(path, bytes);
      };
      auto applied = apply(proposal, {"keys", "holders"});
      environment.write = write_quickly;
      auto client = fmt::format("{}-{}", name, limit);
      auto refreshed = refresh_client(client);
      EXPECT_TRUE(refreshed) << client << ": " << refreshed.error().describe();
      // With the lost key it depends on how far the try before came.
      if (applied && !lost) {
        EXPECT_TRUE(applied->seamless);
      }
      // Once the root is there, a second apply has nothing to do; a refresh finishes the rest.
      finished = applied || applied.error().kind == ErrorKind::conflict;
    }
    auto opened = Repository::open(repository, environment);
    ASSERT_TRUE(opened) << opened.error().describe();
    auto store = keys({"keys", "holders"});
    ASSERT_TRUE(opened->refresh(store));
    expect_clients_follow({"before", name + "-0", "new-" + name});
  }
}

TEST_F(Ceremony, RefreshTouchesOnlyTheOnlineKeysAndIsIdempotent) {
  ASSERT_TRUE(release("1.0", {"keys"}));
  for (auto name : {"root.key", "targets.key", "products.key"}) fs::remove(folder / "keys" / name);
  auto run = [&] {
    auto opened = Repository::open(repository, environment);
    auto store = keys();
    return opened->refresh(store).value();
  };
  EXPECT_THAT(run().renewed, IsEmpty());
  environment.now += std::chrono::days(1) + std::chrono::hours(1);
  EXPECT_THAT(run().renewed, ::testing::ElementsAre("timestamp"));
  EXPECT_THAT(run().renewed, IsEmpty());
  environment.now += std::chrono::days(50);
  auto report = run();
  EXPECT_THAT(report.renewed, ::testing::ElementsAre("snapshot", "timestamp"));
  EXPECT_EQ(report.warnings.size(), 2U) << "targets and the product";
  expect_clients_follow({"client"});
}

TEST_F(Ceremony, AForgedHistoryIsNoticedByWhoKeptARoot) {
  auto kept = read_file(repository / "root.json", 1 << 20).value();
  RootChange change;
  change.expires = kNow + std::chrono::days(300);
  auto honest = propose(change);
  EXPECT_TRUE(check_descends_from(honest, kept));
  KeyStore other(folder / "other-keys", no_passphrase);
  ASSERT_TRUE(init_repository(folder / "other", other, true, {}, environment));
  Layout layout(folder / "other");
  auto state = load_state(layout);
  auto forged = propose_root(layout, *state, change, kNow, {std::chrono::days(365), {}});
  EXPECT_EQ(check_descends_from(*forged, kept).error().kind, ErrorKind::signature_invalid);
}

TEST_F(Ceremony, TheDoctorTellsWhatWillBreak) {
  ASSERT_TRUE(release("1.0", {"keys"}));
  auto report = diagnose(repository, kNow, nullptr).value();
  EXPECT_FALSE(report.will_break());
  EXPECT_THAT(report.findings,
              Contains(::testing::Field(&Diagnosis::message, HasSubstr("one stolen key"))));
  report = diagnose(repository, kNow + std::chrono::days(61), nullptr).value();
  EXPECT_TRUE(report.will_break());
  three_holders();
  fs::remove(repository / "metadata/1.root.json");
  report = diagnose(repository, kNow, nullptr).value();
  ASSERT_TRUE(report.will_break());
  EXPECT_THAT(report.findings.front().message, HasSubstr("cannot follow"));
  EXPECT_EQ(diagnose(folder / "nowhere", kNow, nullptr).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace shoal::publish
