// The repository writer end to end on small trees: what a client then sees, and what a publisher
// that stops anywhere leaves behind.
#include "publish/repository.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "publish/check.hpp"
#include "publish/cleanup.hpp"
#include "publish/inspect.hpp"
#include "support/temp_dir.hpp"
#include "trust/updater.hpp"
#include "write_quickly.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr UtcSeconds kNow{std::chrono::seconds(1'800'000'000)};

struct Publisher : ::testing::Test {
  test::TempDir folder;
  fs::path repository = folder / "repository";
  fs::path tree = folder / "tree";
  WorkerPool pool{2};
  Environment environment{kNow, {}, write_quickly};

  void SetUp() override {
    auto store = keys();
    auto made = init_repository(repository, store, true, {}, environment);
    ASSERT_TRUE(made.has_value()) << made.error().describe();
    folder.write("tree/bin/game", std::string(100'000, 'g'));
    folder.write("tree/readme.txt", "one");
  }
  KeyStore keys() const {
    return KeyStore(
        folder / "keys", [](const auto&) { return Result<std::string>("passphrase"); },
        trust::kMinKdfCost);
  }
  Result<ReleaseReport> release(const std::string& version,
                                const std::vector<std::string>& channels = {},
                                const std::string& product = "game",
                                const std::string& component = "base") {
    SHOAL_ASSIGN(auto opened, Repository::open(repository, environment));
    auto store = keys();
    ReleaseRequest request;
    request.tree = tree;
    request.build.product = product;
    request.build.version = version;
    request.build.component = component;
    request.channels = channels;
    return opened.release(request, store, pool);
  }
  void must_release(const std::string& version, const std::vector<std::string>& channels = {}) {
    auto report = release(version, channels);
    ASSERT_TRUE(report.has_value()) << report.error().describe();
  }
  CheckReport check(UtcSeconds now = kNow) {
    auto report = check_repository(repository, now, pool);
    EXPECT_TRUE(report.has_value()) << report.error().describe();
    return report ? *report : CheckReport{};
  }
  void expect_good() {
    auto report = check();
    for (const auto& finding : report.findings)
      ADD_FAILURE() << finding.path << ": " << finding.problem;
  }
  content::ChannelList channels(const std::string& product = "game") const {
    Layout layout(repository);
    auto state = load_state(layout);
    if (!state) return {};
    return read_channels(layout, *state, product).value_or(content::ChannelList{});
  }
};

TEST_F(Publisher, AClientFindsWhatWasPublished) {
  must_release("1.0");
  DirectoryFetcher fetcher(repository);
  auto root = read_file(repository / "root.json", 1 << 20);
  ASSERT_TRUE(trust::trust_initial_root(folder / "client", *root));
  trust::Updater client(folder / "client", "metadata/", "targets/", fetcher, kNow);
  for (auto path : {"repository.json", "game/channels.json", "game/1.0/release.json"}) {
    auto target = client.find_target(path);
    ASSERT_TRUE(target.has_value()) << target.error().describe();
    EXPECT_TRUE(client.download_target(*target).has_value()) << path;
  }
  expect_good();
}

TEST_F(Publisher, ANewProductGoesOnStableAndLaterVersionsOnlyWhereAsked) {
  must_release("1.0");
  EXPECT_EQ(channels().channels.at("stable"), "1.0");
  folder.write("tree/readme.txt", "two");
  must_release("1.1");
  EXPECT_EQ(channels().channels.at("stable"), "1.0");
  must_release("1.1", {"beta"});
  EXPECT_EQ(channels().channels.at("beta"), "1.1");
  EXPECT_THAT(channels().versions, ElementsAre("1.0", "1.1"));
}

TEST_F(Publisher, TheSameTreeAgainAddsNoBundleBytesAndSignsNothing) {
  must_release("1.0");
  auto timestamp = test::read_text(repository / "metadata/timestamp.json");
  auto again = release("1.0");
  ASSERT_TRUE(again.has_value()) << again.error().describe();
  EXPECT_TRUE(again->nothing_to_do);
  EXPECT_EQ(test::read_text(repository / "metadata/timestamp.json"), timestamp);
  auto renamed = release("1.0-final");
  ASSERT_TRUE(renamed.has_value());
  EXPECT_FALSE(renamed->nothing_to_do);
  EXPECT_EQ(renamed->statistics.new_bundle_bytes, 0U);
}

TEST_F(Publisher, AVersionCannotBePublishedTwiceWithDifferentContent) {
  must_release("1.0");
  folder.write("tree/readme.txt", std::string(50'000, 'x'));
  auto result = release("1.0");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, ErrorKind::conflict);
  expect_good();
  EXPECT_THAT(check().notes, IsEmpty());  // the bundles of the attempt are gone
}

TEST_F(Publisher, ComponentsOfOneVersionAreJoined) {
  must_release("1.0");
  fs::remove_all(tree);
  folder.write("tree/voices/de.bin", std::string(70'000, 'v'));
  ASSERT_TRUE(release("1.0", {}, "game", "voices-de"));
  auto listing = list_repository(repository);
  ASSERT_TRUE(listing.has_value());
  EXPECT_THAT(listing->products[0].releases[0].components, ElementsAre("base", "voices-de"));
  expect_good();
  auto clash = release("1.0", {}, "game", "voices-en");  // the same path in two components
  ASSERT_FALSE(clash.has_value());
  expect_good();
}

TEST_F(Publisher, ProductsCannotTakeTheNameOfATopLevelRole) {
  for (auto product : {"root", "Targets", "../x", "a/b", ".hidden"})
    EXPECT_EQ(release("1.0", {}, product).error().kind, ErrorKind::invalid_request) << product;
}

TEST_F(Publisher, NamesThatUrlsEscapeWork) {
  ASSERT_TRUE(release("1.0~rc+1", {}, "notepad++"));
  expect_good();
}

TEST_F(Publisher, AChannelMovesToKnownVersionsOnly) {
  must_release("1.0");
  auto opened = Repository::open(repository, environment);
  ASSERT_TRUE(opened.has_value());
  auto store = keys();
  EXPECT_TRUE(opened->set_channel("game", "beta", "1.0", store)->changed);
  EXPECT_FALSE(opened->set_channel("game", "beta", "1.0", store)->changed);
  EXPECT_EQ(opened->set_channel("game", "beta", "9", store).error().kind, ErrorKind::not_found);
  EXPECT_EQ(opened->set_channel("other", "beta", "1.0", store).error().kind, ErrorKind::not_found);
  expect_good();
}

TEST_F(Publisher, RefreshKeepsARepositoryAliveForYears) {
  must_release("1.0");
  for (int week = 0; week < 75; ++week) {
    environment.now += std::chrono::days(6);
    auto opened = Repository::open(repository, environment);
    ASSERT_TRUE(opened.has_value()) << opened.error().describe();
    auto store = keys();
    ASSERT_TRUE(opened->refresh(store, {true, false}).has_value());
  }
  auto report = check(environment.now);
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_LT(report.metadata_files, 30U);  // superseded versions do not pile up
}

TEST_F(Publisher, AnExpiredRepositoryIsFoundByCheckAndCanBeRefreshed) {
  must_release("1.0");
  environment.now += std::chrono::days(400);
  EXPECT_FALSE(check(environment.now).findings.empty());
  auto opened = Repository::open(repository, environment);
  ASSERT_TRUE(opened.has_value()) << opened.error().describe();
  auto store = keys();
  ASSERT_TRUE(opened->refresh(store, {true, false}).has_value());
  EXPECT_THAT(check(environment.now).findings, IsEmpty());
}

TEST_F(Publisher, TwoPublishersExcludeEachOther) {
  auto first = Repository::open(repository, environment);
  ASSERT_TRUE(first.has_value());
  auto second = Repository::open(repository, environment);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind, ErrorKind::conflict);
}

TEST_F(Publisher, OthersOnTheMachineCannotHoldTheLock) {
  auto mode = [&] { return fs::status(repository / ".lock").permissions(); };
  EXPECT_EQ(mode(), fs::perms::owner_read | fs::perms::owner_write);
  fs::permissions(repository / ".lock", fs::perms::others_read, fs::perm_options::add);
  ASSERT_TRUE(Repository::open(repository, environment));
  EXPECT_EQ(mode(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(Publisher, KeysOfAnotherRepositoryAreRefused) {
  KeyStore foreign(folder / "other-keys", [](const auto&) { return Result<std::string>("x"); });
  ASSERT_TRUE(foreign.create_missing(true).has_value());
  auto opened = Repository::open(repository, environment);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->refresh(foreign).error().kind, ErrorKind::not_allowed);
  expect_good();
}

TEST_F(Publisher, InitIsRefusedOnARepositoryAndWithKeysInsideIt) {
  auto store = keys();
  EXPECT_EQ(init_repository(repository, store, true, {}, environment).error().kind,
            ErrorKind::conflict);
  KeyStore inside(folder / "new/keys", [](const auto&) { return Result<std::string>("x"); });
  EXPECT_EQ(init_repository(folder / "new", inside, true, {}, environment).error().kind,
            ErrorKind::invalid_request);
  EXPECT_FALSE(fs::exists(folder / "new/keys"));
}

// What a repository that lost its timestamp still has is not written over, by any keys.
TEST_F(Publisher, ARepositoryThatLostItsTimestampIsNotBegunAnew) {
  must_release("1.0");
  const auto root = test::read_text(repository / "root.json");
  const auto timestamp = test::read_text(repository / "metadata/timestamp.json");
  fs::remove(repository / "metadata/timestamp.json");
  auto opened = Repository::open(repository, environment);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, ::testing::HasSubstr("has lost its metadata/timestamp.json"));
  EXPECT_THAT(opened.error().remedy, ::testing::HasSubstr("back from a copy"));
  KeyStore other(
      folder / "other-keys", [](const auto&) { return Result<std::string>("x"); },
      trust::kMinKdfCost);
  auto same = keys();
  for (auto* store : {&same, &other})
    EXPECT_EQ(init_repository(repository, *store, true, {}, environment).error().kind,
              ErrorKind::conflict);
  EXPECT_EQ(test::read_text(repository / "root.json"), root);
  EXPECT_FALSE(fs::exists(folder / "other-keys"));
  folder.write("repository/metadata/timestamp.json", timestamp);
  expect_good();
  fs::remove(repository / "root.json");
  EXPECT_THAT(Repository::open(repository, environment).error().remedy,
              ::testing::HasSubstr("Copy the newest metadata/N.root.json"));
}

// A publisher that is stopped before its n-th write, for every n: the repository is good each time,
// shows the old release or the new one, and the next publisher succeeds and leaves no orphans.
TEST_F(Publisher, StoppedBeforeAnyWriteTheRepositoryStaysValid) {
  must_release("1.0");
  bool finished = false;
  int stops = 0;
  for (int limit = 0; !finished; ++limit) {
    ASSERT_LT(limit, 50);
    folder.write("tree/readme.txt", fmt::format("content {}", limit));
    int writes = 0;
    environment.write = [&](const fs::path& path, ByteView bytes) -> Result<void> {
      if (writes++ >= limit) return fail(ErrorKind::disk_full, "stopped by the test");
      return write_quickly(path, bytes);
    };
    auto version = fmt::format("2.{}", limit);
    auto result = release(version, {"stable"});
    environment.write = write_quickly;
    finished = result.has_value();
    if (!finished) ++stops;
    expect_good();
    EXPECT_EQ(channels().channels.at("stable"), finished ? version : "1.0");
  }
  EXPECT_GE(stops, 7);  // 5 targets, the product's role, the snapshot, the timestamp
  folder.write("tree/readme.txt", "the last");
  must_release("3.0", {"stable"});
  expect_good();
  EXPECT_THAT(check().notes, IsEmpty());
}

TEST_F(Publisher, InitStoppedBeforeAnyWriteCanBeRunAgain) {
  for (int limit = 0; limit < 6; ++limit) {
    fs::path path = folder / fmt::format("init{}", limit);
    auto store = keys();
    Environment stopping = environment;
    int writes = 0;
    stopping.write = [&](const fs::path& file, ByteView bytes) -> Result<void> {
      if (writes++ >= limit) return fail(ErrorKind::disk_full, "stopped by the test");
      return write_quickly(file, bytes);
    };
    EXPECT_FALSE(init_repository(path, store, true, {}, stopping).has_value()) << limit;
    KeyStore other(folder / "other-keys", [](const auto&) { return Result<std::string>("x"); });
    if (limit > 0) {
      EXPECT_EQ(init_repository(path, other, true, {}, environment).error().kind,
                ErrorKind::conflict);
    }
    auto again = init_repository(path, store, true, {}, environment);
    ASSERT_TRUE(again.has_value()) << again.error().describe();
    EXPECT_EQ(again->keys_made, 0U);
    auto report = check_repository(path, kNow, pool);
    ASSERT_TRUE(report.has_value());
    EXPECT_THAT(report->findings, IsEmpty());
  }
}

// What was written after the timestamp it had: temporary files, versions that nothing names,
// half-written bundles.
TEST_F(Publisher, TheNextPublisherRemovesWhatAKilledOneLeft) {
  must_release("1.0");
  auto put = [&](const std::string& name) { return folder.write("repository/" + name, "rest"); };
  std::vector<fs::path> rests = {put("metadata/77.snapshot.json"),
                                 put("metadata/9.game.json"),
                                 put("metadata/1.other.json"),
                                 put("metadata/timestamp.json.tmp.4711"),
                                 put("targets/game/2.0/x.tmp.12"),
                                 put("bundles/.tmp-12-0"),
                                 put("targets/game/2.0/" + std::string(64, 'a') + ".release.json"),
                                 put("bundles/ab/" + std::string(64, 'a'))};
  folder.write("tree/readme.txt", "two");
  must_release("2.0");
  for (const auto& path : rests) EXPECT_FALSE(fs::exists(path)) << path;
  EXPECT_FALSE(fs::exists(repository / "bundles/ab"));
  expect_good();
}

TEST_F(Publisher, CheckFindsOneBitAnywhereInAnyPublishedFile) {
  must_release("1.0");
  folder.write("tree/readme.txt", "two");
  must_release("1.1", {"beta"});
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(repository))
    if (entry.is_regular_file() && entry.path().filename() != ".lock")
      files.push_back(entry.path());
  ASSERT_GT(files.size(), 15U);
  for (const auto& path : files) {
    auto good = test::read_text(path);
    for (std::size_t at : {good.size() / 2, good.size() - 1}) {
      auto bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 0x20);
      folder.write(path.lexically_relative(folder.path()).native(), bad);
      EXPECT_FALSE(check().findings.empty()) << path << " byte " << at;
    }
    folder.write(path.lexically_relative(folder.path()).native(), good);
  }
  expect_good();
}

TEST_F(Publisher, CheckFindsAMissingBundleAndATruncatedOne) {
  must_release("1.0");
  for (const auto& entry : fs::recursive_directory_iterator(repository / "bundles")) {
    if (!entry.is_regular_file()) continue;
    auto good = test::read_text(entry.path());
    fs::resize_file(entry.path(), good.size() - 1);
    EXPECT_FALSE(check().findings.empty());
    fs::remove(entry.path());
    EXPECT_FALSE(check().findings.empty());
    break;
  }
}

TEST(MetadataName, HasAVersionAndARole) {
  EXPECT_EQ(parse_metadata_name("12.game.json")->role, "game");
  EXPECT_EQ(parse_metadata_name("12.game.json")->version, 12U);
  EXPECT_EQ(parse_metadata_name("1.a.b.json")->role, "a.b");
  EXPECT_FALSE(parse_metadata_name("timestamp.json"));
  EXPECT_FALSE(parse_metadata_name("x.game.json"));
  EXPECT_FALSE(parse_metadata_name("1.json"));
  EXPECT_FALSE(parse_metadata_name("1.game.json.tmp.12"));
  EXPECT_TRUE(is_temporary_name("1.game.json.tmp.12"));
  EXPECT_FALSE(is_temporary_name("1.x.tmp.1.json"));
}

}  // namespace
}  // namespace shoal::publish
