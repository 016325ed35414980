// What a repository or its mirrors can make a client do without breaking a signature: more than any
// sane one needs, in other places, or never the same twice. One test per attack.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_dir.hpp"
#include "world.hpp"

namespace shoal::trust::test {
namespace {

using nlohmann::json;
using K = ErrorKind;
using shoal::test::TempDir;

void expect_kind(const Result<void>& result, K kind) {
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, kind) << result.error().describe();
}

TEST(Caps, RolesThatNameOrDelegateToNoEndAreRefused) {
  struct Row {
    const char* what;
    std::function<void(Limits&)> limit;
  };
  for (const auto& row : {Row{"delegations", [](Limits& l) { l.delegations_per_role = 3; }},
                          Row{"targets", [](Limits& l) { l.targets_per_role = 3; }},
                          Row{"path patterns", [](Limits& l) { l.pattern_bytes_per_role = 12; }}}) {
    SCOPED_TRACE(row.what);
    for (std::string role : {"targets", "game"}) {
      World world;
      for (int i = 0; i < 3; ++i) {
        world.repository.delegate(role, role + std::to_string(i), {"abc"});
        world.repository.add_target("game/" + std::to_string(i), "x", role);
      }
      world.repository.delegate("game", "more", {"x"});
      world.repository.add_target("more", "x", "targets");
      world.repository.publish();
      World generous = world;
      EXPECT_TRUE(generous.update().has_value());
      row.limit(world.limits);
      auto refused = world.update();
      expect_kind(refused, K::too_large);
      EXPECT_NE(refused.error().message.find(row.what), std::string::npos);
    }
  }
}

TEST(Caps, MetadataOfNoEndOfSmallValuesIsRefusedBeforeItFillsTheMemory) {
  for (std::string role : kEveryRole) {
    SCOPED_TRACE(role);
    World world;
    world.advance();
    world.change_signed(role, [](json& body) { body["custom"] = json(2000, json::object()); });
    World generous = world;
    EXPECT_TRUE(generous.update().has_value());
    world.limits.json_values = 2000;
    expect_kind(world.update(), K::too_large);
  }
}

TEST(Caps, NoMoreDelegationsWaitThanAllowedHoweverManyMatch) {
  World world;
  for (int i = 0; i < 6; ++i)
    world.repository.delegate("targets", "other" + std::to_string(i), {"game/*"});
  world.repository.publish();
  EXPECT_TRUE(world.update().has_value());
  world.limits.delegations_waiting = 7;  // "game" and the six
  EXPECT_TRUE(world.update().has_value());
  world.limits.delegations_waiting = 6;
  expect_kind(world.update(), K::too_large);
}

TEST(Caps, AChainOfDelegationsIsFollowedOnlySoDeep) {
  World world;
  std::string from = "game";
  for (int i = 0; i < 6; ++i) {
    std::string to = "deep" + std::to_string(i);
    world.repository.delegate(from, to, {"game/*"});
    from = to;
  }
  world.repository.add_target("game/bottom", "x", from);
  world.repository.publish();
  EXPECT_TRUE(world.download("game/bottom").has_value());
  world.limits.delegation_depth = 6;  // it lies one deeper
  EXPECT_EQ(world.download("game/bottom").error().kind, K::too_large);
}

TEST(Delegated, BothPathsAndPrefixesOrNeitherAreRefused) {
  for (bool both : {true, false}) {
    World world;
    world.change_role("game", [&](json& role, json&) {
      if (both)
        role["path_hash_prefixes"] = {"ab"};
      else
        role.erase("paths");
    });
    expect_kind(world.update(), K::metadata_invalid);
  }
}

TEST(Delegated, HashPrefixesChooseTheRoleAndNoOther) {
  auto hash = sha256(as_bytes("game/file")).hex();
  std::string wrong = hash.substr(0, 4);
  wrong[3] = wrong[3] == '0' ? '1' : '0';
  for (const auto& [prefix, found] : {std::pair{hash.substr(0, 1), true},
                                      {hash.substr(0, 8), true},
                                      {hash, true},
                                      {"", true},
                                      {wrong, false},
                                      {"zz", false},
                                      {hash + "0", false}}) {
    SCOPED_TRACE(prefix);
    World world;
    world.change_role("game", [&, p = prefix](json& role, json&) {
      role.erase("paths");
      role["path_hash_prefixes"] = {p};
    });
    auto result = world.download("game/file");
    EXPECT_EQ(result.has_value(), found);
    EXPECT_TRUE(found || result.error().kind == K::not_found);
  }
}

TEST(Delegated, ARoleThatDoesNotSayItTerminatesDoesNot) {
  World world;
  world.change_role("game", [](json& role, json&) { role.erase("terminating"); });
  EXPECT_TRUE(world.update().has_value());
}

TEST(Delegated, NamesThatDifferInCaseAreDifferentRolesAndTargets) {
  World world;
  EXPECT_EQ(world.download("GAME/file").error().kind, K::not_found);
  EXPECT_EQ(world.download("game/FILE").error().kind, K::not_found);
  world.repository.delegate("targets", "Game", {"other/*"});
  world.repository.add_target("other/file", "upper", "Game");
  world.advance();
  EXPECT_EQ(as_text(world.download("other/file").value()), "upper");
  EXPECT_EQ(as_text(world.download("game/file").value()), "content");
}

TEST(TargetPaths, OneThatEscapesIsNeverAskedFor) {
  for (const std::string& path :
       {std::string("../file"), std::string("game/../../file"), std::string("/game/file"),
        std::string("game//file"), std::string("game/\0file", 10), std::string("game/./file"),
        "game/" + std::string(5000, 'x'), std::string("game/\xff")}) {
    World world;
    // Served as if the name were good: it is the client that must refuse it.
    world.repository.targets["game"].targets[path] = describe_target(as_bytes("x"));
    EXPECT_EQ(world.download(path).error().kind, K::path_invalid) << path.substr(0, 40);
    for (const auto& request : world.repository.requests)
      EXPECT_EQ(request.find("targets/"), std::string::npos);
  }
}

TEST(TargetPaths, EveryByteThatMeansSomethingInAUrlIsEncoded) {
  World world;
  const std::string path = "game/a b?c#d%2e&e+f";
  world.repository.add_target(path, "x", "game");
  world.repository.publish();
  static_cast<void>(world.download(path));
  EXPECT_THAT(world.repository.requests.back(), ::testing::EndsWith("a%20b%3Fc%23d%252e%26e%2Bf"));
}

struct FakeMirrors final : Fetcher {
  std::vector<FakeRepository*> all;
  std::set<std::uint32_t> asked{};
  Result<Bytes> fetch(std::uint32_t mirror, const std::string& path,
                      std::uint64_t max_bytes) override {
    asked.insert(mirror);
    return all.at(mirror)->fetch(0, path, max_bytes);
  }
  std::uint32_t mirrors() const override { return static_cast<std::uint32_t>(all.size()); }
};

TEST(Mirrors, OneThatLagsOrLiesIsLeftForTheNext) {
  World world;
  FakeRepository lagging = world.repository;
  world.advance();
  ASSERT_TRUE(world.update().has_value());
  world.advance();
  FakeRepository broken = world.repository;
  for (auto& [path, bytes] : broken.files) bytes[bytes.size() / 2] ^= 1;
  for (auto* first : {&lagging, &broken}) {
    World client = world;
    FakeMirrors mirrors;
    mirrors.all = {first, &client.repository};
    auto done = client.update_from(mirrors);
    ASSERT_TRUE(done.has_value()) << done.error().describe();
    EXPECT_EQ(client.disk.version_of("timestamp"), client.repository.timestamp.version);
    Updater updater(client.disk, "metadata/", "targets/", mirrors, kNow);
    auto target = updater.find_target("game/file");
    ASSERT_TRUE(target.has_value());
    EXPECT_TRUE(updater.download_target(*target).has_value());
  }
}

// A domain that somebody else has now, say: it answers everything, with a page of its own.
TEST(Mirrors, OneThatAnswersEverythingDoesNotHideThatARootIsTheNewest) {
  struct Parked final : Fetcher {
    FakeRepository* honest = nullptr;
    std::uint32_t parked = 0;
    std::string page;
    Result<Bytes> fetch(std::uint32_t mirror, const std::string& path,
                        std::uint64_t max_bytes) override {
      if (mirror != parked) return honest->fetch(0, path, max_bytes);
      if (page.size() > max_bytes) return fail(K::too_large, path);
      return to_bytes(page);
    }
    std::uint32_t mirrors() const override { return 2; }
  };
  for (std::uint32_t parked : {0U, 1U}) {
    for (std::size_t page_bytes : {100U, 1U << 20}) {
      World world;
      ASSERT_TRUE(world.update().has_value());
      world.advance();
      Parked web;
      web.honest = &world.repository;
      web.parked = parked;
      web.page.assign(page_bytes, ' ');
      auto done = world.update_from(web);
      ASSERT_TRUE(done.has_value()) << done.error().describe();
      EXPECT_EQ(world.disk.version_of("root"), 6U);
      EXPECT_EQ(world.disk.version_of("game"), 6U);
    }
  }
}

// It is asked first, and what it has is what the client knows: a release could be hidden for as
// long as the old timestamp is good.
TEST(Mirrors, OneThatLagsHidesAReleaseForADayOnly) {
  World world;
  ASSERT_TRUE(world.update().has_value());
  FakeRepository lagging = world.repository;
  world.repository.advance();
  FakeMirrors mirrors;
  mirrors.all = {&lagging, &world.repository};
  Seen seen;
  auto look = [&](UtcSeconds now) {
    return Updater(world.disk, "metadata/", "targets/", mirrors, now).refresh_if_changed(seen);
  };
  EXPECT_EQ(look(kNow + std::chrono::hours(1)), false);
  EXPECT_EQ(look(kNow + kDay), true);
  EXPECT_EQ(world.disk.version_of("timestamp"), world.repository.timestamp.version);
}

TEST(Mirrors, OneThatLagsDoesNotHideARootThatReplacedTheTimestampsKeys) {
  World world;
  ASSERT_TRUE(world.update().has_value());
  FakeRepository lagging = world.repository;
  world.repository.rotate("timestamp");
  world.advance();
  for (bool lags_first : {true, false}) {
    World client = world;
    FakeMirrors mirrors;
    mirrors.all = {&lagging, &client.repository};
    if (!lags_first) std::swap(mirrors.all[0], mirrors.all[1]);
    auto done = client.update_from(mirrors);
    ASSERT_TRUE(done.has_value()) << done.error().describe();
    EXPECT_EQ(client.disk.version_of("timestamp"), 6U);
  }
}

// As a thief of too few of the root's keys would have it, or a publisher who made a mistake.
TEST(Mirrors, ARootThatIsThereButCannotBeTrustedIsNotHiddenByOneThatSaysThereIsNone) {
  for (bool lags_first : {true, false}) {
    World world;
    ASSERT_TRUE(world.update().has_value());
    FakeRepository lagging = world.repository;
    const auto old_keys = world.repository.keys.at("root");
    world.repository.rotate("root");
    world.advance();
    const SigningKey* only_old[] = {&old_keys[0]};
    world.file("root") = sign_root(world.repository.root, only_old);
    FakeMirrors mirrors;
    mirrors.all = {&lagging, &world.repository};
    if (!lags_first) std::swap(mirrors.all[0], mirrors.all[1]);
    expect_kind(world.update_from(mirrors), K::signature_invalid);
    // An old root in the place of the next one is no such thing.
    world.file("root") = world.repository.files.at("metadata/5.root.json");
    EXPECT_TRUE(world.update_from(mirrors).has_value());
  }
}

TEST(Mirrors, WhereAllLieTheFirstErrorIsToldAndTheyAreNotAskedForEver) {
  World world;
  ASSERT_TRUE(world.update().has_value());
  std::vector<FakeRepository> liars(9, world.repository);
  FakeMirrors mirrors;
  for (auto& liar : liars) {
    liar.files["metadata/timestamp.json"] = to_bytes("{}");
    liar.requests.clear();
    mirrors.all.push_back(&liar);
  }
  expect_kind(world.update_from(mirrors), K::metadata_invalid);
  EXPECT_EQ(mirrors.asked.size(), world.limits.mirrors_asked);
}

TEST(MetadataFolder, APlantedLinkIsReplacedAndItsTargetUntouched) {
  World world;
  TempDir folder, elsewhere;
  DirectoryStore store(folder.path());
  ASSERT_TRUE(store.write("root.json", world.file("root")));
  for (std::string name : {"timestamp.json", "snapshot.json", "targets.json", "game.json"}) {
    ASSERT_TRUE(DirectoryStore(elsewhere.path()).write(name, as_bytes("precious")));
    std::filesystem::create_symlink(elsewhere / name, folder / name);
  }
  Updater updater(folder.path(), "metadata/", "targets/", world.repository, kNow);
  ASSERT_TRUE(updater.find_target("game/file").has_value());
  for (std::string name : {"timestamp.json", "snapshot.json", "targets.json", "game.json"}) {
    EXPECT_FALSE(std::filesystem::is_symlink(folder / name));
    EXPECT_EQ(shoal::test::read_text(elsewhere / name), "precious");
  }
}

}  // namespace
}  // namespace shoal::trust::test
