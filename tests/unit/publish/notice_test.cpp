// What is said of a change before it is signed: by the notice of whoever holds the keys, and by the
// review of a proposal.
#include <gmock/gmock.h>

#include <algorithm>

#include "ceremony.hpp"
#include "publish/review.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
using test::Ceremony;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(Ceremony, AReviewSaysThatAProductIsNew) {
  make_key("dana");
  make_key("erin");
  auto opened = Repository::open(repository, environment);
  auto store = keys();
  DelegateRequest request{
      "game",
      {read_public_key(file("dana")).value(), read_public_key(file("erin")).value()},
      2,
      true};
  auto report = opened->delegate(request, store);
  ASSERT_TRUE(report) << report.error().describe();
  ASSERT_TRUE(report->proposal);
  auto checked = check_proposal(*report->proposal);
  auto review = review_proposal(*report->proposal, checked.value(), environment.now);
  EXPECT_THAT(review.changes, Contains("product game: 2 of 2 keys must sign (the role is new)"));
}

TEST_F(Ceremony, APathOfAProposalCannotSteerTheTerminalThatShowsIt) {
  make_key("dana");
  make_key("erin");
  ASSERT_TRUE(delegate({"dana", "erin"}, 2, {"keys", "holders"}));
  fs::create_directories(folder / "dana");
  fs::rename(file("dana"), folder / "dana/dana.key");
  auto proposal = *release("1.0", {"dana"}, true)->proposal;
  const std::string path = content::channels_target("\u202eemag");  // turns the line around
  proposal.files[path] = proposal.files.at("game/channels.json");
  auto& role = proposal.roles[0];
  auto body = trust::parse_targets(role.file(), "game", {})->body;
  body.targets[path] = trust::describe_target(proposal.files[path]);
  role.signed_bytes = trust::signed_bytes_of(body);
  auto review = review_proposal(proposal, check_proposal(proposal).value(), environment.now);
  for (const auto& line : review.changes)
    EXPECT_TRUE(std::ranges::all_of(line, [](char c) { return c >= 0x20 && c < 0x7f; })) << line;
}

struct Told {
  std::vector<SigningNotice> notices;
  std::string timestamp;  // as it was when the first came
};

struct CeremonyTold : Ceremony {
  Told told;

  void listen() {
    environment.about_to_sign = [this](const SigningNotice& notice) {
      if (told.notices.empty())
        told.timestamp = shoal::test::read_text(Layout(repository).timestamp());
      told.notices.push_back(notice);
    };
    before = shoal::test::read_text(Layout(repository).timestamp());
  }
  std::vector<std::string> roles_of(const std::string& key) {
    auto id = trust::key_id(read_public_key(folder / key).value());
    for (const auto& entry : told.notices.at(0).keys)
      if (entry.id == id) return entry.roles;
    return {};
  }
  std::string before;
};

TEST_F(CeremonyTold, AReleaseSaysWhatWillBeSignedBeforeItIs) {
  listen();
  ASSERT_TRUE(release("1.0", {"keys"}));
  ASSERT_EQ(told.notices.size(), 1U);
  EXPECT_EQ(told.timestamp, before);
  const auto& changes = told.notices[0].changes;
  EXPECT_THAT(changes, Contains("product game: 1 of 1 keys must sign (the role is new)"));
  EXPECT_THAT(changes, Contains(HasSubstr("game: adds release game/1.0 (release.json has")));
  EXPECT_THAT(changes, Contains("game: channel stable points at 1.0"));
  EXPECT_THAT(changes, Contains(HasSubstr("game: version 1 expires at")));
  EXPECT_THAT(roles_of("keys/products.key"), ElementsAre("game"));
  EXPECT_THAT(roles_of("keys/targets.key"), ElementsAre("targets"));
  EXPECT_THAT(roles_of("keys/timestamp.key"), ElementsAre("timestamp"));
}

TEST_F(CeremonyTold, SoDoAChannelADelegationAndARenewal) {
  make_key("dana");
  ASSERT_TRUE(release("1.0", {"keys"}));
  listen();
  {
    auto store = keys();
    auto opened = Repository::open(repository, environment);
    ASSERT_TRUE(opened->set_channel("game", "beta", "1.0", store));
  }
  EXPECT_THAT(told.notices.at(0).changes, Contains("game: channel beta points at 1.0"));
  told.notices.clear();
  ASSERT_TRUE(delegate({"dana"}, 1, {"keys", "holders"}));
  EXPECT_THAT(told.notices.at(0).changes, Contains(HasSubstr("product game: adds the key")));
  EXPECT_THAT(roles_of("holders/dana.key"), ElementsAre("game"));
  told.notices.clear();
  auto store = keys({"keys", "holders"});
  environment.now += std::chrono::days(80);
  auto opened = Repository::open(repository, environment);
  ASSERT_TRUE(opened->refresh(store, {.all = true}));
  EXPECT_THAT(told.notices.at(0).changes, Contains(HasSubstr("game: 0 files new")));
}

TEST_F(CeremonyTold, ANewRootIsAnnouncedBeforeItIsSigned) {
  listen();
  auto root = shoal::test::read_text(repository / "root.json");
  std::string seen;
  auto tell = environment.about_to_sign;
  environment.about_to_sign = [&](const SigningNotice& notice) {
    if (seen.empty()) seen = shoal::test::read_text(repository / "root.json");
    tell(notice);
  };
  environment.now += std::chrono::days(200);
  auto opened = Repository::open(repository, environment);
  auto store = keys();
  ASSERT_TRUE(opened->refresh(store, {.all = true}));
  EXPECT_EQ(seen, root);
  EXPECT_THAT(told.notices.at(0).changes, ElementsAre(HasSubstr("root: version 2 expires at")));
  EXPECT_THAT(roles_of("keys/root.key"), ElementsAre("root"));
}

TEST_F(CeremonyTold, OfAProposalOnlyWhatIsSignedHere) {
  make_key("dana");
  make_key("erin");
  ASSERT_TRUE(delegate({"dana", "erin"}, 2, {"keys", "holders"}));
  fs::create_directories(folder / "dana");
  fs::rename(file("dana"), folder / "dana/dana.key");
  listen();
  ASSERT_TRUE(release("1.0", {"keys", "dana"}, true));
  ASSERT_EQ(told.notices.size(), 1U);
  EXPECT_THAT(roles_of("dana/dana.key"), ElementsAre("game"));
  EXPECT_THAT(roles_of("keys/timestamp.key"), IsEmpty());
  EXPECT_EQ(release("2.0", {"dana"}).error().kind, ErrorKind::not_allowed);
  EXPECT_EQ(told.notices.size(), 1U) << "what is refused is not announced";
}

}  // namespace
}  // namespace shoal::publish
