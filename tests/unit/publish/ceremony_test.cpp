// The key ceremony with real clients: every change of keys, as seen by clients that last refreshed
// before it, and by a thief who holds what was stolen.
#include "ceremony.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "publish/doctor.hpp"
#include "publish/review.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
using test::Ceremony;
using test::kNow;
using test::no_passphrase;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

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
  auto honest = shoal::test::read_text(layout.timestamp());
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
  EXPECT_EQ(check_descends_from(honest, kept), 1U);
  three_holders();
  EXPECT_EQ(check_descends_from(propose(change), kept), 1U) << "older than what it builds on";
  KeyStore other(folder / "other-keys", no_passphrase);
  ASSERT_TRUE(init_repository(folder / "other", other, true, {}, environment));
  Layout layout(folder / "other");
  auto state = load_state(layout);
  auto forged = propose_root(layout, *state, change, kNow, {std::chrono::days(365), {}});
  EXPECT_EQ(check_descends_from(*forged, kept).error().kind, ErrorKind::signature_invalid);
}

TEST_F(Ceremony, TheDoctorTellsWhichKeysAreKeptBadly) {
  ASSERT_TRUE(release("1.0", {"keys"}));
  auto said = [&](const std::string& role, const std::string& words) {
    auto store = keys();
    auto report = diagnose(repository, kNow, &store).value();
    EXPECT_FALSE(report.will_break());
    return std::ranges::any_of(report.findings, [&](const auto& finding) {
      return finding.role == role && finding.message.find(words) != std::string::npos;
    });
  };
  EXPECT_TRUE(said("root", "root.key is not sealed"));
  EXPECT_TRUE(said("game", "products.key is not sealed"));
  EXPECT_FALSE(said("timestamp", "is not sealed")) << "a timer signs with it";
  EXPECT_FALSE(said("timestamp", "others on this machine"));
  fs::permissions(folder / "keys/timestamp.key", fs::perms::group_read, fs::perm_options::add);
  EXPECT_TRUE(said("timestamp", "others on this machine can read"));
  // The product is given the timestamp's key.
  fs::copy(folder / "keys/timestamp.key", file("timestamp"));
  ASSERT_TRUE(delegate({"timestamp"}, 1, {"keys"}));
  EXPECT_TRUE(said("game", "also signs timestamp"));
  // And then the root's, which signs targets too from then on.
  fs::copy(folder / "keys/root.key", file("root"));
  ASSERT_TRUE(delegate({"root"}, 1, {"keys"}));
  EXPECT_TRUE(said("game", "also signs the root"));
  EXPECT_FALSE(said("targets", "also signs the root"));
  RootChange change;
  change.add.push_back({"targets", read_public_key(file("root")).value()});
  auto proposal = propose(change);
  sign(proposal, file("root"));
  ASSERT_TRUE(apply(proposal));
  EXPECT_TRUE(said("targets", "also signs the root"));
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
  fs::remove(repository / "metadata/timestamp.json");
  report = diagnose(repository, kNow, nullptr).value();
  ASSERT_TRUE(report.will_break());
  EXPECT_THAT(report.findings.front().message, HasSubstr("has lost its metadata/timestamp.json"));
}

// Put back from a mirror, say: anybody may add signatures, under whatever key id.
TEST_F(Ceremony, ASignatureOfAStrangersKeyIdIsInNobodysWay) {
  three_holders();
  const auto first = repository / "metadata/1.root.json";
  auto root = trust::parse_root(read_file(first, 1 << 20).value(), {}).value();
  root.signatures.push_back({"1\b\x1f", Bytes{1}});
  ASSERT_TRUE(write_quickly(first, trust::join_signatures(root.signed_bytes, root.signatures)));
  RootChange change;
  change.expires = kNow + std::chrono::days(100);
  auto proposal = propose(change);
  for (auto name : {"alice", "bob"}) sign(proposal, file(name));
  auto applied = apply(proposal);
  ASSERT_TRUE(applied) << applied.error().describe();
  expect_clients_follow({"client"});
}

// root.json is the only good copy of the newest root: it is not written over, but copied from.
TEST_F(Ceremony, ADamagedOrLostNewestRootComesBackFromItsCopy) {
  three_holders();
  ASSERT_TRUE(refresh_client("old"));
  const auto newest = repository / "metadata/2.root.json";
  const auto good = shoal::test::read_text(newest);
  auto unsigned_root = trust::parse_root(as_bytes(good), {}).value();
  const std::vector<std::string> damages = {
      "",
      good.substr(0, good.size() / 2),
      shoal::test::read_text(repository / "metadata/1.root.json"),
      std::string(as_text(trust::join_signatures(unsigned_root.signed_bytes, {}))),
      "missing",
  };
  for (const auto& damage : damages) {
    if (damage == "missing")
      fs::remove(newest);
    else
      ASSERT_TRUE(write_quickly(newest, as_bytes(damage)));
    auto report = diagnose(repository, kNow, nullptr).value();
    EXPECT_TRUE(report.will_break());
    EXPECT_THAT(report.findings,
                Contains(::testing::Field(&Diagnosis::remedy, HasSubstr("Copy root.json"))));
    auto opened = Repository::open(repository, environment);
    ASSERT_TRUE(opened) << opened.error().describe();
    EXPECT_EQ(shoal::test::read_text(newest), good);
    EXPECT_EQ(shoal::test::read_text(repository / "root.json"), good);
  }
  // Two roots of one version, both of them signed: nobody but a person can tell.
  RootChange change;
  change.expires = kNow + std::chrono::days(300);
  auto other = propose(change);
  auto body = trust::parse_root(other.roles[0].file(), {}).value().body;
  body.version = 2;
  other.roles[0].signed_bytes = trust::signed_bytes_of(body);
  for (auto name : {"alice", "bob"}) {
    KeyStore store(file(name), no_passphrase);
    auto opened = store.signers({{trust::key_id(read_public_key(file(name)).value())}, 1});
    other.roles[0].signatures.push_back(
        trust::sign_bytes(*opened->front(), other.roles[0].signed_bytes));
  }
  ASSERT_TRUE(write_quickly(newest, other.roles[0].file()));
  EXPECT_EQ(Repository::open(repository, environment).error().kind, ErrorKind::conflict);
  EXPECT_TRUE(diagnose(repository, kNow, nullptr)->will_break());
  EXPECT_EQ(shoal::test::read_text(repository / "root.json"), good);
}

// The verifier speaks to clients, of mirrors and forgers: here it is the publisher's own file.
TEST_F(Ceremony, DamagedMetadataIsToBePutBackFromACopy) {
  ASSERT_TRUE(release("1.0", {"keys"}));
  const auto state = load_state(Layout(repository)).value();
  auto stranger = trust::SigningKey::generate();
  const trust::SigningKey* signer = &stranger;
  const std::map<std::string, Bytes> damages = {
      {"timestamp.json", trust::sign_timestamp(state.timestamp, {&signer, 1})},
      {metadata_name(state.snapshot.version, "snapshot"), to_bytes("{}")},
      {metadata_name(state.products.at("game").version, "game"), to_bytes("{}")}};
  for (const auto& [name, bytes] : damages) {
    const auto good = shoal::test::read_text(repository / "metadata" / name);
    ASSERT_TRUE(write_quickly(repository / "metadata" / name, bytes));
    auto opened = Repository::open(repository, environment);
    ASSERT_FALSE(opened) << name;
    EXPECT_THAT(opened.error().remedy, HasSubstr("back from a copy")) << name;
    EXPECT_THAT(diagnose(repository, kNow, nullptr)->findings.front().remedy,
                HasSubstr("back from a copy"));
    ASSERT_TRUE(write_quickly(repository / "metadata" / name, as_bytes(good)));
  }
}

TEST_F(Ceremony, AnOlderCopyOfTheRootIsRenewed) {
  const auto old = shoal::test::read_text(repository / "root.json");
  three_holders();
  ASSERT_TRUE(write_quickly(repository / "root.json", as_bytes(old)));
  ASSERT_TRUE(Repository::open(repository, environment));
  EXPECT_EQ(shoal::test::read_text(repository / "root.json"),
            shoal::test::read_text(repository / "metadata/2.root.json"));
}

// Clients would ask for files without versions in their names, and there are none.
TEST_F(Ceremony, ConsistentSnapshotsAreNotTurnedOff) {
  ASSERT_TRUE(release("1.0", {"keys"}));
  RootChange change;
  change.expires = kNow + std::chrono::days(300);
  auto proposal = propose(change);
  auto& role = proposal.roles.at(0);
  auto body = trust::parse_root(role.file(), {})->body;
  body.consistent_snapshot = false;
  role.signed_bytes = trust::signed_bytes_of(body);
  auto checked = check_proposal(proposal);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::metadata_invalid);
  EXPECT_THAT(checked.error().message, HasSubstr("consistent snapshots"));

  KeyStore store(folder / "keys/root.key", no_passphrase);
  auto key = store.signers(load_state(Layout(repository))->root.root).value().front();
  role.signatures = {trust::sign_bytes(*key, role.signed_bytes)};
  ASSERT_TRUE(apply(proposal));
  EXPECT_FALSE(refresh_client("client"));
  auto report = diagnose(repository, kNow, nullptr).value();
  EXPECT_TRUE(report.will_break());
  EXPECT_THAT(report.findings,
              Contains(::testing::Field(&Diagnosis::remedy, HasSubstr("root propose"))));
  auto mended = propose(change);
  sign(mended, folder / "keys/root.key");
  ASSERT_TRUE(apply(mended));
  EXPECT_FALSE(diagnose(repository, kNow, nullptr)->will_break());
  expect_clients_follow({"client", "new"});
}

// What is in force is in force. An index that cannot be read might name any bundle: all of them
// stay.
TEST_F(Ceremony, WhatIsPublishedDidNotFailBecauseCleaningUpDid) {
  ASSERT_TRUE(release("1.0", {"keys"}));
  for (const auto& entry : fs::recursive_directory_iterator(repository / "targets"))
    if (entry.path().extension() == ".index") {
      fs::remove(entry.path());
      break;
    }
  ASSERT_TRUE(write_quickly(repository / "bundles" / std::string(64, 'a'), as_bytes("left over")));
  RootChange change;
  change.expires = kNow + std::chrono::days(300);
  auto proposal = propose(change);
  sign(proposal, folder / "keys/root.key");
  auto applied = apply(proposal);
  ASSERT_TRUE(applied) << applied.error().describe();
  EXPECT_THAT(applied->warnings, ::testing::ElementsAre(HasSubstr("base.index")));
  EXPECT_TRUE(fs::exists(repository / "bundles" / std::string(64, 'a')));
  EXPECT_EQ(load_state(Layout(repository))->root.version, 2U);
}

TEST_F(Ceremony, ALongRootStaysAsItsHoldersMadeIt) {
  RootChange change;
  change.expires = kNow + std::chrono::days(3 * 365);
  auto proposal = propose(change);
  sign(proposal, folder / "keys/root.key");
  ASSERT_TRUE(apply(proposal));
  auto refresh = [&] {
    auto opened = Repository::open(repository, environment);
    auto store = keys();
    return opened->refresh(store, {.all = true}).value().renewed;
  };
  EXPECT_THAT(refresh(), Not(Contains("root")));
  environment.now += std::chrono::days(3 * 365 - 100);
  EXPECT_THAT(refresh(), Contains("root"));
}

}  // namespace
}  // namespace shoal::publish
