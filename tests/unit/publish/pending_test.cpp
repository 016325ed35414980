// Proposals that wait: what another one would take from them, and what becomes of them elsewhere.
#include "publish/pending.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "ceremony.hpp"
#include "publish/doctor.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

struct Waiting : test::Ceremony {
  // A release of two holders that waits for Erin.
  Proposal waiting_release() {
    for (auto name : {"dana", "erin"}) make_key(name);
    EXPECT_TRUE(delegate({"dana", "erin"}, 2, {"keys", "holders"}));
    fs::create_directories(folder / "dana");
    fs::rename(file("dana"), folder / "dana/dana.key");
    return release("1.0", {"dana"}, true)->proposal.value();
  }
  fs::path pending(const std::string& role) const { return Layout(repository).pending(role); }
  Result<RefreshReport> refresh(const std::vector<std::string>& places, bool may_propose = true) {
    SHOAL_ASSIGN(auto opened, Repository::open(repository, environment));
    auto store = keys(places);
    return opened.refresh(store, {.all = true, .may_propose = may_propose});
  }
  std::uint64_t version_in_force(const std::string& role) const {
    return load_state(Layout(repository))->snapshot.meta.at(role).version;
  }
};

TEST_F(Waiting, AReleaseIsNotReplacedByAnotherProposal) {
  auto first = waiting_release();
  folder.write("tree/game", std::string(6000, 'x'));
  auto second = release("2.0", {"dana"}, true);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::conflict);
  EXPECT_THAT(second.error().message, HasSubstr(pending("game").native()));
  environment.now += std::chrono::days(60);
  {
    auto opened = Repository::open(repository, environment);
    auto store = keys();
    auto refreshed = opened->refresh(store, {.all = true, .may_propose = true});
    ASSERT_TRUE(refreshed) << refreshed.error().describe();
    EXPECT_THAT(refreshed->warnings, Contains(HasSubstr(pending("game").native())));
    EXPECT_FALSE(refreshed->proposal);
  }
  sign(first, file("erin"));
  auto applied = apply(first);
  ASSERT_TRUE(applied) << applied.error().describe();
  EXPECT_FALSE(fs::exists(pending("game")));
}

// What is only proposed is signed by no online key: those may be on another machine.
TEST_F(Waiting, TheProposalOfANewProductNeedsNoOnlineKeys) {
  fs::create_directories(folder / "products");
  fs::rename(folder / "keys/products.key", folder / "products/products.key");
  auto report = release("1.0", {"products"}, true);
  ASSERT_TRUE(report) << report.error().describe();
  ASSERT_TRUE(report->proposal);
  EXPECT_TRUE(report->proposal->find("targets"));
}

TEST_F(Waiting, WhatWasGivenUpForALaterProposalSaysSo) {
  auto first = waiting_release();
  fs::remove(pending("game"));
  folder.write("tree/game", std::string(6000, 'x'));
  ASSERT_TRUE(release("2.0", {"dana"}, true));
  sign(first, file("erin"));
  auto applied = apply(first);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, ErrorKind::conflict);
  EXPECT_THAT(applied.error().message, HasSubstr("superseded by a later proposal"));
}

TEST_F(Waiting, WhatWasGivenUpCannotBeAppliedFromACopy) {
  auto proposal = waiting_release();
  sign(proposal, file("erin"));
  const auto copy = shoal::test::read_text(pending("game"));
  fs::remove(pending("game"));
  auto applied = apply(proposal);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, ErrorKind::conflict);
  EXPECT_THAT(applied.error().message, HasSubstr("given up"));
  ASSERT_TRUE(write_quickly(pending("game"), as_bytes(copy)));
  EXPECT_TRUE(apply(proposal));
}

// It has no files that could go: its copies must.
TEST_F(Waiting, ARenewalNeedsNoCopyInTheRepository) {
  make_key("dana");
  ASSERT_TRUE(delegate({"dana"}, 1, {"keys", "holders"}));
  environment.now += std::chrono::days(60);
  auto renewal = refresh({"keys"})->proposal.value();
  sign(renewal, file("dana"));
  fs::remove(pending("game"));
  auto applied = apply(renewal);
  EXPECT_TRUE(applied) << applied.error().describe();
}

TEST_F(Waiting, AProposalOfAnotherRepositoryIsCalledThat) {
  auto proposal = waiting_release();
  sign(proposal, file("erin"));
  const auto other = folder / "other";
  KeyStore store(folder / "other-keys", test::no_passphrase);
  ASSERT_TRUE(init_repository(other, store, true, {}, environment));
  auto opened = Repository::open(other, environment);
  auto applied = opened->apply(proposal, store);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, ErrorKind::conflict);
  EXPECT_THAT(applied.error().message, HasSubstr("for another repository"));
}

// The renewal was carried away; a release took its place in the repository meanwhile.
TEST_F(Waiting, AnOldRenewalDoesNotTakeAReleaseAway) {
  for (auto name : {"dana", "erin"}) make_key(name);
  ASSERT_TRUE(delegate({"dana", "erin"}, 2, {"keys", "holders"}));
  environment.now += std::chrono::days(60);
  auto renewal = refresh({"keys"})->proposal.value();
  auto waiting = release("1.0", {"keys"}, true)->proposal.value();
  for (auto name : {"dana", "erin"}) sign(renewal, file(name));
  auto applied = apply(renewal);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, ErrorKind::conflict);
  EXPECT_THAT(applied.error().message, HasSubstr(pending("game").native()));
  EXPECT_THAT(applied.error().remedy, HasSubstr("Apply it first"));
  for (auto name : {"dana", "erin"}) sign(waiting, file(name));
  applied = apply(waiting);
  EXPECT_TRUE(applied) << applied.error().describe();
  expect_clients_follow({"client"});
}

// Whoever wants the renewal gives the release up first.
TEST_F(Waiting, AnOldRenewalIsAppliedOnceTheReleaseWasGivenUp) {
  for (auto name : {"dana", "erin"}) make_key(name);
  ASSERT_TRUE(delegate({"dana", "erin"}, 2, {"keys", "holders"}));
  environment.now += std::chrono::days(60);
  auto renewal = refresh({"keys"})->proposal.value();
  ASSERT_TRUE(release("1.0", {"keys"}, true)->proposal);
  fs::remove(pending("game"));
  for (auto name : {"dana", "erin"}) sign(renewal, file(name));
  auto applied = apply(renewal);
  EXPECT_TRUE(applied) << applied.error().describe();
}

TEST_F(Waiting, TheDoctorTellsHowEachIsGivenUp) {
  auto advice = [&](std::string_view finding = "waits for signatures") {
    auto report = diagnose(repository, environment.now, nullptr).value();
    auto found = std::ranges::find_if(report.findings, [&](const Diagnosis& entry) {
      return entry.message.starts_with("a proposal for it ") &&
             entry.message.find(finding) != std::string::npos;
    });
    return found == report.findings.end() ? std::string() : found->remedy;
  };
  ASSERT_TRUE(waiting_release().find("game"));
  EXPECT_THAT(advice(), HasSubstr("delete the file to give it up"));
  fs::remove(pending("game"));
  EXPECT_EQ(advice(), "");
  environment.now += std::chrono::days(60);
  ASSERT_TRUE(refresh({"keys"})->proposal);
  EXPECT_THAT(advice(), AllOf(HasSubstr("destroy every copy"), Not(HasSubstr("delete the file"))));
  environment.now += std::chrono::days(91);
  EXPECT_EQ(advice(), "");
  EXPECT_THAT(advice("can no longer be applied"), HasSubstr("Delete " + pending("game").native()));
  ASSERT_TRUE(write_quickly(pending("game"), as_bytes("{")));
  EXPECT_THAT(advice("cannot be read"), HasSubstr("Put " + pending("game").native() + " back"));
}

// The date that was proposed is past: nobody can apply it any more, and the product would expire.
TEST_F(Waiting, AnExpiredProposalKeepsNobodyWaiting) {
  ASSERT_TRUE(waiting_release().find("game"));
  environment.now += std::chrono::days(91);
  auto refreshed = refresh({"keys"});
  ASSERT_TRUE(refreshed) << refreshed.error().describe();
  EXPECT_THAT(refreshed->warnings, Not(Contains(HasSubstr(pending("game").native()))));
  ASSERT_TRUE(refreshed->proposal);
  EXPECT_TRUE(refreshed->proposal->find("game"));
}

TEST_F(Waiting, AProposalOneOfWhoseRolesWasPublishedOtherwiseKeepsNobodyWaiting) {
  make_key("dana");
  make_key("erin");
  ASSERT_TRUE(delegate({"dana", "erin"}, 2, {"keys"})->proposal);  // game, targets
  Layout layout(repository);
  const auto state = load_state(layout).value();
  auto waits = [&](const State& at) { return roles_that_wait(layout, at, environment.now); };
  EXPECT_THAT(waits(state), SizeIs(2));
  auto later = state;
  ++later.snapshot.meta.at("targets").version;
  EXPECT_THAT(waits(later), IsEmpty());
}

TEST_F(Waiting, WhoeverPublishesDirectlyIsToldWhatIsSuperseded) {
  ASSERT_TRUE(waiting_release().find("game"));
  const auto releases = [&] {
    std::size_t found = 0;
    for (const auto& entry : fs::recursive_directory_iterator(repository / "targets/game"))
      found += entry.path().filename().native().ends_with("release.json") ? 1 : 0;
    return found;
  };
  EXPECT_EQ(releases(), 1U);
  std::vector<std::string> said;
  environment.about_to_sign = [&](const SigningNotice& notice) { said = notice.changes; };
  environment.now += std::chrono::days(60);
  ASSERT_TRUE(refresh({"keys", "holders", "dana"}, false));
  EXPECT_THAT(said, Contains(AllOf(HasSubstr(pending("game").native()), HasSubstr("superseded"))));
  EXPECT_FALSE(fs::exists(pending("game")));
  EXPECT_EQ(releases(), 0U);
  EXPECT_TRUE(fs::is_empty(repository / "bundles"));
}

TEST_F(Waiting, SoIsWhoeverReleasesAnotherVersion) {
  ASSERT_TRUE(waiting_release().find("game"));
  std::vector<std::string> said;
  environment.about_to_sign = [&](const SigningNotice& notice) { said = notice.changes; };
  folder.write("tree/game", std::string(6000, 'x'));
  ASSERT_TRUE(release("2.0", {"keys", "holders", "dana"}));
  EXPECT_THAT(said, Contains(AllOf(HasSubstr(pending("game").native()), HasSubstr("superseded"))));
  EXPECT_FALSE(fs::exists(pending("game")));
  EXPECT_TRUE(check_repository(repository, environment.now, pool)->findings.empty());
}

// A renewal that was signed, but not applied in time, is offered as what is in force: a review of
// the same body as the next version says that nothing changes, and the release in between would go.
TEST_F(Waiting, AProposalOnWhatWasNeverInForceIsRefused) {
  for (auto name : {"dana", "erin"}) make_key(name);
  ASSERT_TRUE(delegate({"dana", "erin"}, 2, {"keys", "holders"}));
  ASSERT_TRUE(release("1.0", {"keys", "holders"}));
  environment.now += std::chrono::days(60);
  auto renewal = refresh({"keys"})->proposal.value();
  for (auto name : {"dana", "erin"}) sign(renewal, file(name));
  folder.write("tree/game", std::string(6000, 'x'));
  ASSERT_TRUE(release("2.0", {"keys", "holders"}));
  EXPECT_EQ(apply(renewal).error().kind, ErrorKind::conflict);

  auto forged = renewal;
  auto& role = forged.roles.at(0);
  ASSERT_EQ(role.role, "game");
  forged.in_force["game"] = role.file();
  auto body = trust::parse_targets(role.file(), "game", {})->body;
  ++body.version;
  role = {"game", trust::signed_bytes_of(body), {}};
  for (auto name : {"dana", "erin"}) sign(forged, file(name));
  auto applied = apply(forged);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, ErrorKind::conflict);
  EXPECT_THAT(applied.error().message, HasSubstr("'game'"));
  EXPECT_TRUE(load_state(Layout(repository))->find("game/2.0/release.json"));
}

// The same of the top level: a key that was taken from a product would come back.
TEST_F(Waiting, ATopLevelThatWasNeverInForceIsRefused) {
  for (auto name : {"dana", "erin"}) make_key(name);
  ASSERT_TRUE(delegate({"dana", "erin"}, 2, {"keys", "holders"}));
  fs::create_directories(folder / "offline");
  fs::rename(folder / "keys/targets.key", folder / "offline/targets.key");
  environment.now += std::chrono::days(60);
  auto renewal = refresh({"keys", "holders"})->proposal.value();
  sign(renewal, folder / "offline/targets.key");
  ASSERT_TRUE(delegate({"erin"}, 1, {"keys", "offline", "holders"}));
  auto forged = renewal;
  auto& role = forged.roles.at(0);
  ASSERT_EQ(role.role, "targets");
  forged.in_force["targets"] = role.file();
  auto body = trust::parse_targets(role.file(), "targets", {})->body;
  ++body.version;
  role = {"targets", trust::signed_bytes_of(body), {}};
  sign(forged, folder / "offline/targets.key");
  auto applied = apply(forged);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, ErrorKind::conflict);
}

// Dana and Erin, of whom one must sign; what is in force has Erin's signature alone.
struct TeamOfTwo : Waiting {
  void SetUp() override {
    Waiting::SetUp();
    for (auto name : {"dana", "erin"}) {
      make_key(name);
      fs::create_directories(folder / name);
      fs::copy(file(name), folder / name / "own.key");
    }
    ASSERT_TRUE(delegate({"dana", "erin"}, 1, {"keys", "erin"}));
    ASSERT_TRUE(release("1.0", {"keys", "erin"}));
    fs::create_directories(folder / "offline");
    fs::rename(folder / "keys/targets.key", folder / "offline/targets.key");
  }
  // Erin alone may sign from then on, as she has: the product needs no new version.
  Proposal only_erin() {
    auto proposal = delegate({"erin"}, 1, {"keys"})->proposal.value();
    EXPECT_THAT(proposal.roles, SizeIs(1));
    EXPECT_TRUE(proposal.find("targets"));
    return proposal;
  }
  void hotfix_by_dana() {
    folder.write("tree/game", std::string(6000, 'x'));
    auto released = release("1.1", {"keys", "dana"});
    ASSERT_TRUE(released) << released.error().describe();
  }
  void expect_refused_for_game(const Result<ApplyReport>& applied) {
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().kind, ErrorKind::conflict);
    EXPECT_THAT(applied.error().message, HasSubstr("'game'"));
    EXPECT_THAT(applied.error().remedy, HasSubstr("Propose it again"));
    expect_clients_follow({"client"});
    EXPECT_TRUE(Repository::open(repository, environment));
  }
};

// Clients would refuse the product, and no publisher could open the repository any more.
TEST_F(TeamOfTwo, KeysThatWhatWasPublishedMeanwhileDoesNotSatisfyAreRefused) {
  auto proposal = only_erin();
  hotfix_by_dana();
  sign(proposal, folder / "offline/targets.key");
  expect_refused_for_game(apply(proposal));
}

TEST_F(TeamOfTwo, SoIsAThresholdThatIsNotReached) {
  auto proposal = delegate({"dana", "erin"}, 2, {"keys"})->proposal.value();
  ASSERT_THAT(proposal.roles, SizeIs(2));
  // Whoever carries it leaves the product's next version out.
  std::erase_if(proposal.roles, [](const auto& role) { return role.role == "game"; });
  sign(proposal, folder / "offline/targets.key");
  expect_refused_for_game(apply(proposal));
}

TEST_F(TeamOfTwo, SoAreSuchKeysInTheProposalOfARoot) {
  hotfix_by_dana();
  RootChange change;
  change.rotate = {"targets"};
  change.add = {{"targets", make_key("targets-2")}};
  auto proposal = propose(change);
  auto& role = proposal.roles.at(1);
  ASSERT_EQ(role.role, "targets");
  auto body = trust::parse_targets(role.file(), "targets", {})->body;
  body.delegations.front().keys = {{trust::key_id(read_public_key(file("erin")).value())}, 1};
  role = {"targets", trust::signed_bytes_of(body), {}};
  sign(proposal, folder / "keys/root.key");
  sign(proposal, file("targets-2"));
  expect_refused_for_game(apply(proposal));
}

TEST_F(TeamOfTwo, KeysThatWhatIsInForceSatisfiesNeedNoSignatureOfTheTeam) {
  auto proposal = only_erin();
  sign(proposal, folder / "offline/targets.key");
  auto applied = apply(proposal);
  EXPECT_TRUE(applied) << applied.error().describe();
  expect_clients_follow({"client"});
}

TEST_F(Waiting, TheRenewalOfManyProductsIsOneProposalThatCanBeRead) {
  constexpr std::size_t kProducts = 12;
  make_key("team");
  for (std::size_t i = 0; i < kProducts; ++i) {
    auto opened = Repository::open(repository, environment);
    DelegateRequest request{
        fmt::format("game-{}", i), {read_public_key(file("team")).value()}, 1, false};
    auto store = keys({"keys", "holders"});
    ASSERT_TRUE(opened->delegate(request, store));
  }
  environment.now += std::chrono::days(60);
  Proposal proposal;
  {
    auto opened = Repository::open(repository, environment);
    auto store = keys();
    auto refreshed = opened->refresh(store, {.all = true, .may_propose = true});
    ASSERT_TRUE(refreshed) << refreshed.error().describe();
    proposal = refreshed->proposal.value();
  }
  EXPECT_THAT(proposal.roles, SizeIs(kProducts));
  sign(proposal, file("team"));
  auto applied = apply(proposal);
  ASSERT_TRUE(applied) << applied.error().describe();
  EXPECT_TRUE(fs::is_empty(repository / ".pending"));
}

}  // namespace
}  // namespace shoal::publish
