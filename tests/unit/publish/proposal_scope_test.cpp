// Proposals that were tampered with on their way: what they hold besides is refused or said, before
// a holder signs it.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "ceremony.hpp"
#include "publish/review.hpp"
#include "trust/json.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;

struct Tampered : test::Ceremony {
  // A new product with a team, proposed to the holder of targets beside a product that is there.
  Proposal new_product(const std::string& product) {
    EXPECT_TRUE(release("1.0", {"keys"}));
    DelegateRequest request{product, {make_key("mallory")}, 1, true};
    auto opened = Repository::open(repository, environment);
    auto store = keys();
    auto report = opened->delegate(request, store);
    EXPECT_TRUE(report && report->proposal);
    return report->proposal.value();
  }
  // The channel stable goes back to 1.0, proposed to Erin.
  Proposal rollback() {
    EXPECT_TRUE(release("1.0", {"keys"}));
    EXPECT_TRUE(release("2.0", {"keys"}));
    {
      auto opened = Repository::open(repository, environment);
      auto store = keys();
      EXPECT_TRUE(opened->set_channel("game", "stable", "2.0", store)->changed);
    }
    for (auto name : {"dana", "erin"}) make_key(name);
    EXPECT_TRUE(delegate({"dana", "erin"}, 2, {"keys", "holders"}));
    auto opened = Repository::open(repository, environment);
    auto store = keys({"keys"});
    return opened->set_channel("game", "stable", "1.0", store, true)->proposal.value();
  }
  static void edit(Proposal& proposal, const std::string& role,
                   const std::function<void(trust::Targets&)>& change) {
    for (auto& proposed : proposal.roles) {
      if (proposed.role != role) continue;
      auto body = trust::parse_targets(proposed.file(), role, {})->body;
      change(body);
      proposed.signed_bytes = trust::signed_bytes_of(body);
      proposed.signatures.clear();
    }
  }
  // Why a proposal with that change is refused; "" when it is not.
  static std::string refusal(Proposal proposal, const std::string& role,
                             const std::function<void(trust::Targets&)>& change) {
    edit(proposal, role, change);
    auto checked = check_proposal(proposal);
    if (checked) return "";
    EXPECT_EQ(checked.error().kind, ErrorKind::metadata_invalid);
    EXPECT_THAT(checked.error().remedy, HasSubstr("Do not sign it"));
    return checked.error().message;
  }
};

TEST_F(Tampered, AProductCannotSpeakForTheFilesOfOthers) {
  auto proposal = new_product("evil");
  EXPECT_EQ(refusal(proposal, "targets", [](auto&) {}), "");
  auto evil = [](auto change) {
    return [=](trust::Targets& body) { change(body.delegations.back()); };
  };
  auto others = HasSubstr("'evil' would speak for other files than its own");
  EXPECT_THAT(refusal(proposal, "targets", evil([](auto& entry) {
                        entry.paths.clear();
                        entry.path_hash_prefixes = {""};
                      })),
              others);
  EXPECT_THAT(
      refusal(proposal, "targets", evil([](auto& entry) { entry.paths.push_back("game/*"); })),
      others);
  EXPECT_THAT(refusal(proposal, "targets", evil([](auto& entry) { entry.terminating = false; })),
              others);
  EXPECT_THAT(refusal(proposal, "targets",
                      [](auto& body) { body.delegations.front().paths = {"*", "*/*", "*/*/*"}; }),
              HasSubstr("'game' would speak for other files than its own"));
  EXPECT_THAT(refusal(proposal, "targets", [](auto& body) { body.delegations[0].role = "a/b"; }),
              HasSubstr("'a/b' is no name of a product"));
}

TEST_F(Tampered, AProductCannotBePutBeforeOthers) {
  EXPECT_THAT(refusal(new_product("evil"), "targets",
                      [](auto& body) { std::swap(body.delegations[0], body.delegations[1]); }),
              HasSubstr("in another order than now"));
}

TEST_F(Tampered, AProductCannotLetOthersSpeakForItsFiles) {
  EXPECT_THAT(refusal(new_product("evil"), "evil",
                      [](auto& body) {
                        auto thief = trust::SigningKey::generate();
                        auto inner = product_delegation("evil");
                        inner.role = "inner";
                        inner.keys.key_ids = {thief.id()};
                        body.keys[thief.id()] = thief.public_key();
                        body.delegations.push_back(inner);
                      }),
              HasSubstr("'evil' would let others speak for its files"));
}

// A new key whose object has a member more, of which its id is made; named by the last delegation.
void add_odd_key(Proposal& proposal) {
  for (auto& proposed : proposal.roles) {
    if (proposed.role != "targets") continue;
    auto body = nlohmann::json::parse(proposed.signed_bytes);
    auto key = trust::format_public_key(trust::SigningKey::generate().public_key());
    key["more"] = "than is written back";
    const auto id = sha256(as_bytes(trust::canonical_json(key).value())).hex();
    body["delegations"]["keys"][id] = key;
    body["delegations"]["roles"].back()["keyids"].push_back(id);
    proposed.signed_bytes = trust::canonical_json(body).value();
    proposed.signatures.clear();
  }
}

// The next version would be written without that member, under the old id: nobody could read it.
TEST_F(Tampered, AKeyThatCannotBeWrittenBackIsRefused) {
  auto proposal = new_product("evil");
  add_odd_key(proposal);
  auto checked = check_proposal(proposal);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::metadata_invalid);
  EXPECT_THAT(checked.error().message, HasSubstr("more than shoal-publish writes of a key"));
  EXPECT_THAT(checked.error().remedy, HasSubstr("Do not sign it"));
}

// A repository that another program made may have one.
TEST_F(Tampered, NothingIsPublishedThatNobodyCouldRead) {
  auto proposal = new_product("evil");
  add_odd_key(proposal);
  for (const auto& name : {std::string("targets"), std::string("mallory")}) {
    const auto path = name == "targets" ? folder / "keys/targets.key" : file(name);
    KeyStore store(path, test::no_passphrase);
    auto key = store.signers({{trust::key_id(read_public_key(path).value())}, 1}).value().front();
    auto& role = *std::ranges::find(proposal.roles, name == "targets" ? "targets" : "evil",
                                    &ProposedRole::role);
    role.signatures.push_back(trust::sign_bytes(*key, role.signed_bytes));
  }
  ASSERT_TRUE(write_quickly(Layout(repository).pending("evil"), format_proposal(proposal)));
  auto applied = apply(proposal);
  ASSERT_TRUE(applied) << applied.error().describe();
  ASSERT_TRUE(refresh_client("client"));
  auto delegate_anew = [&](const std::string& product, bool may_propose = false) {
    auto opened = Repository::open(repository, environment);
    EXPECT_TRUE(opened);
    std::vector<std::string> places = {"holders"};
    if (!may_propose) places.emplace_back("keys");
    auto store = keys(places);
    return opened->delegate({product, {read_public_key(file("mallory")).value()}, 1, may_propose},
                            store);
  };
  environment.about_to_sign = [](const SigningNotice&) { FAIL() << "asks to sign it"; };
  for (bool may_propose : {false, true}) {
    auto refused = delegate_anew("another", may_propose);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::metadata_invalid);
    EXPECT_THAT(refused.error().remedy, HasSubstr("'delegate'"));
  }
  environment.about_to_sign = {};
  EXPECT_TRUE(refresh_client("client"));
  auto mended = delegate_anew("evil");
  EXPECT_TRUE(mended) << mended.error().describe();
  EXPECT_TRUE(delegate_anew("another"));
  EXPECT_TRUE(refresh_client("client"));
}

TEST_F(Tampered, TheTopLevelCannotAnswerForAProduct) {
  auto proposal = new_product("other");
  const auto forged = trust::describe_target(to_bytes("{}"));
  EXPECT_THAT(refusal(proposal, "targets",
                      [&](auto& body) { body.targets["game/channels.json"] = forged; }),
              HasSubstr("'targets' would publish game/channels.json in place of"));
  edit(proposal, "targets", [&](auto& body) {
    body.targets["repository.json"] = forged;
    body.targets["more.json"] = forged;
  });
  auto review = review_proposal(proposal, check_proposal(proposal).value(), environment.now);
  auto says = [&](const std::string& words) {
    EXPECT_THAT(review.changes, Contains(HasSubstr(words + forged.hashes.sha256->hex())));
  };
  says("targets: CHANGES the file repository.json (repository.json has SHA-256 ");
  says("targets: adds the file more.json (more.json has SHA-256 ");
}

TEST_F(Tampered, WhereChannelsPointCannotBeHiddenFromWhoSigns) {
  auto proposal = parse_proposal(format_proposal(rollback())).value();
  auto review = review_proposal(proposal, check_proposal(proposal).value(), environment.now);
  EXPECT_THAT(review.changes, Contains("game: channel stable points at 1.0 (before: 2.0)"));
  auto refusal = [](const Proposal& tampered) {
    auto checked = check_proposal(tampered);
    EXPECT_FALSE(checked);
    return checked ? Error{} : checked.error();
  };
  auto without = proposal;
  without.files.clear();
  EXPECT_THAT(refusal(without).message,
              HasSubstr("the new list of channels of 'game' is not in it"));
  EXPECT_THAT(refusal(without).remedy, HasSubstr("ask for the proposal anew"));
  without = proposal;
  without.files_in_force.clear();
  EXPECT_THAT(refusal(without).message, HasSubstr("the list of channels in force of 'game'"));
  without = proposal;
  without.files_in_force = without.files;
  EXPECT_EQ(refusal(without).kind, ErrorKind::metadata_invalid);
  without = proposal;
  edit(without, "game", [](auto& body) { body.targets.erase("game/channels.json"); });
  without.files.clear();
  EXPECT_THAT(refusal(without).message, HasSubstr("'game' would have no list of channels"));
  without = proposal;
  without.in_force.erase("game");
  edit(without, "game", [](auto& body) { body.version = 1; });
  without.files_in_force.clear();
  EXPECT_THAT(refusal(without).message, HasSubstr("the metadata in force of 'game'"));
  without = proposal;
  without.files["game/channels.json"] = to_bytes("{}");
  edit(without, "game", [](auto& body) {
    body.targets["game/channels.json"] = trust::describe_target(to_bytes("{}"));
  });
  EXPECT_THAT(refusal(without).message, HasSubstr("channels of 'game' cannot be read"));
}

TEST_F(Tampered, AnExpiryFarAheadIsToBeThoughtAboutTwice) {
  auto proposal = rollback();
  auto warnings = [&] {
    return review_proposal(proposal, check_proposal(proposal).value(), environment.now).warnings;
  };
  EXPECT_THAT(warnings(), ::testing::IsEmpty());
  edit(proposal, "game", [&](auto& body) { body.expires += std::chrono::days(20 * 365); });
  EXPECT_THAT(warnings(), Contains(HasSubstr("game 5 would be good until")));
}

TEST(Review, SaysWhatOfAListOfChannelsChanges) {
  content::ChannelList before{{{"stable", "1"}, {"beta", "2"}, {"old", "1"}}, {"1", "2"}};
  content::ChannelList after{{{"stable", "2"}, {"beta", "2"}, {"new", "2"}}, {"2"}};
  auto list = [](const content::ChannelList& channels) {
    return std::map<std::string, Bytes>{
        {"game/channels.json", to_bytes(content::format_channels(channels))}};
  };
  EXPECT_THAT(describe_channels(list(before), list(after)),
              ::testing::ElementsAre("game: channel new points at 2",
                                     "game: channel stable points at 2 (before: 1)",
                                     "game: channel old is given up (before: 1)",
                                     "game: version 1 is no longer listed"));
  EXPECT_THAT(describe_channels(list(after), list(after)), ::testing::IsEmpty());
  EXPECT_THAT(describe_channels({}, list(after)), Contains("game: channel stable points at 2"));
}

TEST(Review, NamesEveryPatternAndPrefixOfAProduct) {
  trust::Targets before, after;
  for (auto name : {"a", "b"}) before.delegations.push_back(product_delegation(name));
  after.delegations = {before.delegations[1], before.delegations[0]};
  after.delegations[1].terminating = false;
  after.delegations.push_back({"c", {}, {}, {"", "0f"}, true});
  after.delegations.push_back({"d", {}, {std::string(500, 'x')}, {}, true});
  auto lines = describe_targets_change("targets", &before, after);
  EXPECT_THAT(lines, Contains("the products are asked in another order: b, a, c, d"));
  EXPECT_THAT(lines, Contains("product a: now speaks for a/*, a/*/*; others are asked after it "
                              "(not terminating) (before: a/*, a/*/*)"));
  EXPECT_THAT(lines, Contains("product c: is new; it speaks for all files whose name's hash begins "
                              "with '', all files whose name's hash begins with '0f'"));
  EXPECT_THAT(lines, Contains(HasSubstr("xxx[and 300 bytes more]")));
}

}  // namespace
}  // namespace shoal::publish
