// Deltas in a release: made out of bundles, signed, bundled, listed and checked; left out where
// they do not pay.
#include "publish/release_deltas.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "publish/check.hpp"
#include "publish/inspect.hpp"
#include "publish/repository.hpp"
#include "support/temp_dir.hpp"
#include "write_quickly.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

constexpr UtcSeconds kNow{std::chrono::seconds(1'800'000'000)};

struct DeltaRelease : testing::Test {
  test::TempDir folder;
  fs::path repository = folder / "repository";
  WorkerPool pool{2};
  Environment environment{kNow, {}, write_quickly};
  std::mt19937_64 random{11};
  std::string pak = noise(600'000);

  std::string noise(std::size_t size) {
    std::string text(size, '\0');
    for (auto& c : text) c = static_cast<char>(random());
    return text;
  }
  KeyStore keys() const {
    return KeyStore(
        folder / "keys", [](const auto&) { return Result<std::string>("passphrase"); },
        trust::kMinKdfCost);
  }
  // Every 8 KiB some byte has another value: nothing for chunks, little for a delta.
  void touch_pak() {
    for (std::size_t at = 100; at < pak.size(); at += 8192) ++pak[at];
    folder.write("tree/data/pak", pak);
  }
  void SetUp() override {
    auto store = keys();
    ASSERT_TRUE(init_repository(repository, store, true, {}, environment));
    folder.write("tree/data/pak", pak);
    folder.write("tree/readme", "one");
    ASSERT_TRUE(release("1.0"));
  }
  Result<ReleaseReport> release(const std::string& version, std::vector<std::string> from = {},
                                const std::string& component = "base") {
    SHOAL_ASSIGN(auto opened, Repository::open(repository, environment));
    auto store = keys();
    ReleaseRequest request;
    request.tree = folder / (component == "base" ? "tree" : component);
    request.build.product = "game";
    request.build.version = version;
    request.build.component = component;
    request.deltas.from = std::move(from);
    request.deltas.memory_bytes = delta::kMinMemoryBytes;
    return opened.release(request, store, pool);
  }
  CheckReport check() {
    auto report = check_repository(repository, kNow, pool, {}, true);
    EXPECT_TRUE(report) << report.error().describe();
    return report ? *report : CheckReport{};
  }
  std::vector<content::DeltaArtifact> deltas_of(const std::string& version) const {
    const Layout layout(repository);
    const auto state = load_state(layout).value();
    return read_release(layout, state, "game", version)->components.at(0).deltas;
  }
  void expect_good() {
    const auto report = check();
    for (const auto& finding : report.findings)
      ADD_FAILURE() << finding.path << ": " << finding.problem;
  }
};

TEST_F(DeltaRelease, IsMadeOutOfTheBundlesAndSigned) {
  touch_pak();
  const auto report = release("1.1", {"1.0"});
  ASSERT_TRUE(report) << report.error().describe();
  ASSERT_EQ(report->updates.size(), 1U);
  const auto& update = report->updates[0];
  EXPECT_EQ(update.from, "1.0");
  EXPECT_GT(update.recipes_bytes, 500'000U);
  ASSERT_TRUE(update.delta_bytes);
  EXPECT_LT(*update.delta_bytes, 10'000U);
  EXPECT_FALSE(update.dropped);
  ASSERT_EQ(update.files.size(), 1U);
  EXPECT_EQ(update.files[0].path, "data/pak");
  const auto deltas = deltas_of("1.1");
  ASSERT_EQ(deltas.size(), 1U);
  EXPECT_EQ(deltas[0].from, "1.0");
  EXPECT_FALSE(fs::exists(repository / ".scratch"));
  const auto checked = check();
  EXPECT_TRUE(checked.findings.empty());
  EXPECT_TRUE(checked.notes.empty());
  EXPECT_EQ(checked.deltas, 1U);
  const auto listing = list_repository(repository);
  ASSERT_TRUE(listing);
  const auto& listed = listing->products[0].releases[1].deltas;
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].from, "1.0");
  EXPECT_EQ(listed[0].edge_bytes, *update.delta_bytes);
}

TEST_F(DeltaRelease, LeadsFromTheLastVersionsThatWereAskedFor) {
  for (const auto* version : {"1.1", "1.2"}) {
    touch_pak();
    ASSERT_TRUE(release(version));
  }
  touch_pak();
  const auto report = release("1.3", {"last:2"});
  ASSERT_TRUE(report) << report.error().describe();
  const auto deltas = deltas_of("1.3");
  ASSERT_EQ(deltas.size(), 2U);
  EXPECT_EQ(deltas[0].from, "1.2");
  EXPECT_EQ(deltas[1].from, "1.1");
  ASSERT_EQ(report->updates.size(), 3U);  // the third is told, without a delta
  EXPECT_EQ(report->updates[2].from, "1.0");
  EXPECT_FALSE(report->updates[2].delta_bytes);
  expect_good();
}

TEST_F(DeltaRelease, IsLeftOutWhereItDoesNotPay) {
  folder.write("tree/data/pak", noise(600'000));
  const auto report = release("1.1", {"1.0"});
  ASSERT_TRUE(report) << report.error().describe();
  EXPECT_TRUE(report->updates.at(0).dropped);
  EXPECT_TRUE(deltas_of("1.1").empty());
  const auto checked = check();
  EXPECT_TRUE(checked.findings.empty());
  EXPECT_TRUE(checked.notes.empty()) << checked.notes[0].path;  // its bundle went with it
}

TEST_F(DeltaRelease, OfAComponentJoinsTheOthers) {
  folder.write("voices/voices/en", noise(200'000));
  ASSERT_TRUE(release("1.0", {}, "voices"));
  touch_pak();
  ASSERT_TRUE(release("1.1", {"1.0"}));
  folder.write("music/music/song", noise(1'000));
  const auto missing = release("1.1", {"1.0"}, "music");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
  folder.write("voices/voices/fr", noise(1'000));
  ASSERT_TRUE(release("1.1", {"1.0"}, "voices"));
  EXPECT_EQ(deltas_of("1.1").size(), 1U);
  expect_good();
}

TEST_F(DeltaRelease, PublishedAgainChangesNothing) {
  touch_pak();
  ASSERT_TRUE(release("1.1", {"1.0"}));
  const auto again = release("1.1", {"1.0"});
  ASSERT_TRUE(again) << again.error().describe();
  EXPECT_TRUE(again->nothing_to_do);
  EXPECT_EQ(deltas_of("1.1").size(), 1U);
  expect_good();
}

TEST_F(DeltaRelease, NeedsAVersionThatIsThere) {
  for (const auto* from : {"0.9", "1.1"}) {
    const auto report = release("1.1", {from});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().kind, ErrorKind::not_found) << from;
  }
  for (const auto* from : {"last:", "last:0", "last:x"}) {
    const auto report = release("1.1", {from});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().kind, ErrorKind::invalid_request) << from;
  }
}

TEST_F(DeltaRelease, IsNotMadeFromADamagedBundle) {
  for (const auto& entry : fs::recursive_directory_iterator(repository / "bundles")) {
    if (!entry.is_regular_file()) continue;
    auto text = test::read_text(entry.path());
    text[text.size() / 2] ^= 1;
    std::ofstream(entry.path(), std::ios::binary) << text;
  }
  touch_pak();
  const auto report = release("1.1", {"1.0"});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::verification_failed);
  EXPECT_FALSE(fs::exists(repository / ".scratch"));
}

// Each bundle in turn: whatever is damaged of a delta, the check says so.
TEST_F(DeltaRelease, IsCheckedAsAClientWould) {
  touch_pak();
  ASSERT_TRUE(release("1.1", {"1.0"}));
  const Layout layout(repository);
  const auto state = load_state(layout).value();
  const auto files = read_artifact(layout, state, deltas_of("1.1").at(0)).value();
  const auto bundle = repository / content::bundle_path(files.index.bundles.at(0));
  auto text = test::read_text(bundle);
  text[files.index.pieces[0].offset + 20] ^= 1;
  std::ofstream(bundle, std::ios::binary) << text;
  bool named = false;
  for (const auto& finding : check().findings) {
    named = named || finding.problem.find("delta from 1.0") != std::string::npos;
  }
  EXPECT_TRUE(named);
}

TEST(DeltaVersions, AreThoseAskedForOldestFirst) {
  const content::ChannelList list{{}, {"1", "2", "3", "4"}};
  EXPECT_THAT(delta_versions(list, "5", {"3", "1", "3"}).value(), ElementsAre("1", "3"));
  EXPECT_THAT(delta_versions(list, "5", {"last:2", "2"}).value(), ElementsAre("2", "3", "4"));
  EXPECT_THAT(delta_versions(list, "4", {"last:9"}).value(), ElementsAre("1", "2", "3"));
  EXPECT_TRUE(delta_versions(list, "5", {}).value().empty());
  EXPECT_FALSE(delta_versions(list, "4", {"4"}));
}

TEST(DeltaVersions, ADeltaPaysIfItSavesAThird) {
  EXPECT_TRUE(delta_pays(200, 300));
  EXPECT_FALSE(delta_pays(201, 300));
  EXPECT_FALSE(delta_pays(1, 0));
}

}  // namespace
}  // namespace shoal::publish
