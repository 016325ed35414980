// Verify names every wound, repair heals exactly those, uninstall takes only what is ours.
#include <fstream>

#include "lab.hpp"

namespace shoal::install {
namespace {

namespace fs = std::filesystem;

content::FileClass class_by_suffix(const std::string& path) {
  return path.ends_with(".ini") ? content::FileClass::config : content::FileClass::content;
}

struct Wounded {
  Lab lab;
  Tree tree = {{"bytes", file_of(noise(1, 9'000'000))},  // two ranges
               {"empty", file_of("")},
               {"exec", file_of("exec", true)},
               {"folder", {Node::folder, "", false}},
               {"good", file_of(noise(2))},
               {"link", {Node::link, "good", false}},
               {"missing", file_of("missing")},
               {"set.ini", file_of("1")},
               {"size", file_of(noise(3))},
               {"type", file_of("type")}};
  test::SampleRelease release;

  void SetUp() {
    test::SampleOptions options;
    options.class_of = class_by_suffix;
    release = release_of(tree, options);
    ASSERT_OK(lab.change_to(release, "c1"));
  }
  void wound() {
    {
      std::fstream file(lab.path("bytes"), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(8'500'000);
      file.put('!');
    }
    fs::permissions(lab.path("exec"), fs::perms(0644));
    fs::remove(lab.path("folder"));
    fs::remove(lab.path("link"));
    fs::create_symlink("bytes", lab.path("link"));
    fs::remove(lab.path("missing"));
    write_tree(lab.path(), {{"set.ini", file_of("2")}, {"size", file_of("short")}});
    fs::remove(lab.path("type"));
    fs::create_directory(lab.path("type"));
  }
};

TEST(Verify, NamesEveryWoundAndKeepsTheStampsOfTheRest) {
  Wounded it;
  it.SetUp();
  it.wound();
  std::atomic<std::uint64_t> read = 0;
  auto report = verify(it.lab.library, it.lab.folder, it.lab.installed, it.lab.pool, it.lab.stop,
                       [&](std::uint64_t bytes) { read = std::max(read.load(), bytes); });
  ASSERT_OK(report);
  std::map<std::string, WoundKind> wounds;
  for (const auto& wound : report->wounds) {
    wounds[wound.path.text()] = wound.kind;
    EXPECT_EQ(wound.expected, wound.path.text() == "set.ini");
    if (wound.path.text() == "bytes") {
      EXPECT_GT(wound.bad_bytes, 0u);
      EXPECT_LE(wound.bad_bytes, content::kChunkMax);
    }
  }
  EXPECT_EQ(wounds, (std::map<std::string, WoundKind>{{"bytes", WoundKind::wrong_bytes},
                                                      {"exec", WoundKind::wrong_mode},
                                                      {"folder", WoundKind::missing},
                                                      {"link", WoundKind::wrong_link},
                                                      {"missing", WoundKind::missing},
                                                      {"set.ini", WoundKind::wrong_bytes},
                                                      {"size", WoundKind::wrong_size},
                                                      {"type", WoundKind::wrong_type}}));
  EXPECT_TRUE(report->damaged());
  EXPECT_EQ(report->files, 8u);
  EXPECT_EQ(read, report->bytes);
  const auto& files = it.release.component->files;
  for (std::size_t f = 0; f < files.size(); ++f) {
    bool zero = report->stamps[0][f] == FileStamp{};
    bool bad = wounds.contains(files[f].path.text()) && files[f].path.text() != "exec";
    EXPECT_EQ(zero, bad) << files[f].path.text();
  }
}

TEST(Verify, AnUndamagedInstallHasNoWounds) {
  Wounded it;
  it.SetUp();
  auto report = verify(it.lab.library, it.lab.folder, it.lab.installed, it.lab.pool, it.lab.stop);
  ASSERT_OK(report);
  EXPECT_TRUE(report->wounds.empty());
  EXPECT_EQ(report->stamps[0], it.lab.installed[0].stamps);
}

TEST(Verify, AChangedConfigIsNoDamage) {
  Wounded it;
  it.SetUp();
  write_tree(it.lab.path(), {{"set.ini", file_of("2")}});
  auto report = verify(it.lab.library, it.lab.folder, it.lab.installed, it.lab.pool, it.lab.stop);
  ASSERT_OK(report);
  EXPECT_EQ(report->wounds.size(), 1u);
  EXPECT_FALSE(report->damaged());
}

TEST(Repair, HealsEveryWoundAndFetchesOnlyWhatIsBad) {
  Wounded it;
  it.SetUp();
  it.wound();
  auto report = verify(it.lab.library, it.lab.folder, it.lab.installed, it.lab.pool, it.lab.stop);
  ASSERT_OK(report);
  it.lab.installed[0].stamps = report->stamps[0];
  ASSERT_OK(it.lab.change_to(it.release, "repair"));
  auto healed = it.tree;
  healed["set.ini"] = file_of("2");
  EXPECT_EQ(difference(healed, it.lab.tree()), "");
  EXPECT_LE(it.lab.fetched_bytes, 700'000u);  // `size` whole, a few blocks of the others
  report = verify(it.lab.library, it.lab.folder, it.lab.installed, it.lab.pool, it.lab.stop);
  ASSERT_OK(report);
  EXPECT_FALSE(report->damaged());
}

TEST(Uninstall, TakesWhatIsOursAndLeavesTheRest) {
  Wounded it;
  it.SetUp();
  write_tree(it.lab.path(), {{"mine/notes", file_of("n")}, {"set.ini", file_of("2")}});
  auto outcome = uninstall(it.lab.library, it.lab.folder, it.lab.installed, it.lab.stop);
  ASSERT_OK(outcome);
  EXPECT_EQ(outcome->removed_files, 8u);
  EXPECT_EQ(outcome->left, (std::vector<std::string>{"game/mine/notes", "game/set.ini"}));
  EXPECT_EQ(difference({{"mine/notes", file_of("n")}, {"set.ini", file_of("2")}}, it.lab.tree()),
            "");
}

TEST(Uninstall, RemovesTheFolderWhenNothingIsLeft) {
  Wounded it;
  it.SetUp();
  ASSERT_OK(uninstall(it.lab.library, it.lab.folder, it.lab.installed, it.lab.stop));
  EXPECT_FALSE(fs::exists(it.lab.path()));
  ASSERT_OK(uninstall(it.lab.library, it.lab.folder, it.lab.installed, it.lab.stop));
}

TEST(Uninstall, NeverReachesThroughALink) {
  Lab lab;
  ASSERT_OK(lab.change_to(release_of({{"d/a", file_of("a")}, {"d/b", file_of("b")}}), "c1"));
  write_tree(lab.root() / "elsewhere", {{"a", file_of("a")}, {"b", file_of("b")}});
  fs::remove_all(lab.path("d"));
  fs::create_directory_symlink(lab.root() / "elsewhere", lab.path("d"));
  auto outcome = uninstall(lab.library, lab.folder, lab.installed, lab.stop);
  ASSERT_OK(outcome);
  EXPECT_EQ(outcome->removed_files, 0u);
  EXPECT_EQ(read_tree(lab.root() / "elsewhere").size(), 2u);
  EXPECT_EQ(outcome->left, (std::vector<std::string>{"game/d"}));
}

TEST(Stamps, SurviveTheirBytesAndDamageIsNoticed) {
  std::vector<FileStamp> stamps = {{}, {1, -5, 7}, {~0ULL, INT64_MAX, ~0ULL}, {0, INT64_MIN, 1}};
  auto bytes = format_stamps(stamps);
  EXPECT_EQ(parse_stamps(bytes).value(), stamps);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto damaged = bytes;
    damaged[i] ^= 1;
    EXPECT_EQ(parse_stamps(damaged).error().kind, ErrorKind::state_corrupt);
  }
}

}  // namespace
}  // namespace shoal::install
