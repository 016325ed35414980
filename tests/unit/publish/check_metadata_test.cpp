// What `check` says of versions that are no longer in force, when the keys changed meanwhile.
#include <fmt/core.h>
#include <gmock/gmock.h>

#include "ceremony.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Keys : test::Ceremony {
  // The game's first version has a signature of its first key, which only the top level of that
  // time names; so many more products follow.
  void give_the_game_new_keys_and_add_products(std::size_t products) {
    ASSERT_TRUE(release("1.0", {"keys"}));
    make_key("dana");
    ASSERT_TRUE(delegate({"dana"}, 1, {"keys", "holders"}));
    add_products(products);
  }
  void add_products(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto opened = Repository::open(repository, environment);
      auto store = keys({"keys", "holders"});
      DelegateRequest request{
          fmt::format("game-{}", i), {read_public_key(file("dana")).value()}, 1, false};
      ASSERT_TRUE(opened->delegate(request, store));
    }
  }
  CheckReport check() { return check_repository(repository, environment.now, pool).value(); }
};

constexpr std::size_t kUntilForgotten = 4;  // so many versions of the top level are kept

TEST_F(Keys, OfVersionsThatAreNoLongerInForceMayBeForgotten) {
  give_the_game_new_keys_and_add_products(kUntilForgotten);
  auto report = check();
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_THAT(report.notes,
              ElementsAre(AllOf(Field(&Finding::path, "metadata/1.game.json"),
                                Field(&Finding::problem, HasSubstr("earlier keys")))));
}

TEST_F(Keys, ThatWereEnoughOnceMayBeTooFewNow) {
  for (auto name : {"dana", "erin"}) make_key(name);
  ASSERT_TRUE(delegate({"dana"}, 1, {"keys", "holders"}));
  const auto version = load_state(Layout(repository))->snapshot.meta.at("game").version;
  ASSERT_TRUE(delegate({"dana", "erin"}, 2, {"keys", "holders"}));
  add_products(kUntilForgotten);
  auto report = check();
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_THAT(report.notes,
              ElementsAre(Field(&Finding::path, fmt::format("metadata/{}.game.json", version))));
}

TEST_F(Keys, ThatAreStillKnownTellADamagedVersion) {
  give_the_game_new_keys_and_add_products(1);
  const auto old = repository / "metadata/1.game.json";
  auto text = shoal::test::read_text(old);
  EXPECT_THAT(check().notes, IsEmpty());
  auto length = text.find("\"length\":") + 9;
  text[length] = text[length] == '1' ? '2' : '1';
  ASSERT_TRUE(write_quickly(old, as_bytes(text)));
  EXPECT_THAT(check().findings, Contains(Field(&Finding::path, "metadata/1.game.json")));
}

TEST_F(Keys, ThatAreStillKnownTellAVersionThatLostASignature) {
  for (auto name : {"dana", "erin"}) make_key(name);
  ASSERT_TRUE(delegate({"dana", "erin"}, 2, {"keys", "holders"}));
  const auto version = load_state(Layout(repository))->snapshot.meta.at("game").version;
  ASSERT_TRUE(release("1.0", {"keys", "holders"}));
  EXPECT_THAT(check().findings, IsEmpty());
  const auto old = Layout(repository).metadata(version, "game");
  auto document = trust::parse_targets(read_file(old, 1 << 20).value(), "game", {}).value();
  ASSERT_EQ(document.signatures.size(), 2U);
  document.signatures.pop_back();
  ASSERT_TRUE(
      write_quickly(old, trust::join_signatures(document.signed_bytes, document.signatures)));
  EXPECT_THAT(check().findings,
              ElementsAre(AllOf(Field(&Finding::path, "metadata/" + old.filename().native()),
                                Field(&Finding::problem, HasSubstr("signatures: 1")))));
}

TEST_F(Keys, OfAVersionThatWasNeverInForceMustBeKnown) {
  give_the_game_new_keys_and_add_products(kUntilForgotten);
  auto body = load_state(Layout(repository))->products.at("game");
  ++body.version;
  auto stranger = trust::SigningKey::generate();
  const trust::SigningKey* signer = &stranger;
  ASSERT_TRUE(
      write_quickly(repository / "metadata/3.game.json", trust::sign_targets(body, {&signer, 1})));
  EXPECT_THAT(check().findings,
              ElementsAre(AllOf(Field(&Finding::path, "metadata/3.game.json"),
                                Field(&Finding::problem, HasSubstr("signatures: 0")))));
}

}  // namespace
}  // namespace shoal::publish
