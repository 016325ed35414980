// Deltas between folders on a disk: what is made is the new folder to the last bit, or nothing.
#include "publish/tree_delta.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>
#include <random>

#include "base/file.hpp"
#include "support/temp_dir.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;

struct FolderDelta : testing::Test {
  test::TempDir folder;
  WorkerPool pool{2};
  TreeDeltaOptions options;
  std::mt19937_64 random{7};

  std::string noise(std::size_t size) {
    std::string text(size, '\0');
    for (auto& c : text) c = static_cast<char>(random());
    return text;
  }

  void SetUp() override {
    const std::string big = noise(300'000);
    folder.write("old/bin/game", big);
    folder.write("old/data/pak", noise(200'000));
    folder.write("old/readme", "one");
    folder.write("old/gone", "gone");
    fs::copy(folder / "old", folder / "new", fs::copy_options::recursive);
    folder.write("new/bin/game", big.substr(0, 150'000) + "patched" + big.substr(150'000));
    fs::rename(folder / "new/data/pak", folder / "new/data/assets.pak");
    fs::remove(folder / "new/gone");
    folder.write("new/empty", "");
    fs::create_directories(folder / "new/void/of/files");
    fs::create_symlink("bin/game", folder / "new/play");
    fs::permissions(folder / "new/bin/game", fs::perms(0755));
  }

  Result<TreeDeltaReport> make() {
    return make_tree_delta(folder / "old", folder / "new", folder / "delta", options, pool);
  }
  Result<TreeCounts> apply(const std::string& old_tree = "old") {
    return apply_tree_delta(folder / old_tree, folder / "delta", folder / "out", options, pool);
  }
  // Path to what is there: kind, executable bit, content.
  std::map<std::string, std::string> seen(const std::string& tree) const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder / tree)) {
      const auto path = entry.path().lexically_relative(folder / tree).string();
      if (entry.is_symlink()) {
        out[path] = "link " + fs::read_symlink(entry.path()).string();
      } else if (entry.is_directory()) {
        out[path] = "folder";
      } else {
        const bool executable =
            (entry.status().permissions() & fs::perms::owner_exec) != fs::perms::none;
        out[path] = (executable ? "x " : "- ") + test::read_text(entry.path());
      }
    }
    return out;
  }
  void expect_nothing_left() const {
    for (const auto& entry : fs::directory_iterator(folder.path())) {
      const auto name = entry.path().filename().string();
      EXPECT_TRUE(name == "old" || name == "new" || name == "delta" || name == "other") << name;
    }
  }
};

TEST_F(FolderDelta, TheNewFolderComesOutToTheLastBit) {
  const auto report = make();
  ASSERT_TRUE(report) << report.error().describe();
  EXPECT_LT(report->size, 1000U);
  EXPECT_EQ(report->size, fs::file_size(folder / "delta"));
  EXPECT_EQ(report->new_tree.copied_files, 2U);  // readme and the pak
  EXPECT_EQ(report->new_tree.made_files, 1U);
  ASSERT_EQ(report->files.size(), 1U);
  EXPECT_EQ(report->files[0].path, "bin/game");
  expect_nothing_left();
  const auto counts = apply();
  ASSERT_TRUE(counts) << counts.error().describe();
  EXPECT_EQ(seen("out"), seen("new"));
}

TEST_F(FolderDelta, AnEmptyOutputFolderIsTakenAndAFullOneRefused) {
  ASSERT_TRUE(make());
  fs::create_directory(folder / "out");
  ASSERT_TRUE(apply());
  EXPECT_EQ(seen("out"), seen("new"));
  const auto again = apply();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::conflict);
  EXPECT_EQ(seen("out"), seen("new"));
}

TEST_F(FolderDelta, AnotherOldFolderIsRefusedAndLeavesNothing) {
  ASSERT_TRUE(make());
  fs::copy(folder / "old", folder / "other", fs::copy_options::recursive);
  folder.write("other/data/pak", "something else");
  const auto applied = apply("other");
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, ErrorKind::conflict);
  expect_nothing_left();
}

TEST_F(FolderDelta, AnOldFileWithOtherBytesIsToldFromADamagedDelta) {
  ASSERT_TRUE(make());
  for (const std::string changed : {"data/pak", "bin/game"}) {  // one is copied, one is made from
    fs::remove_all(folder / "other");
    fs::copy(folder / "old", folder / "other", fs::copy_options::recursive);
    std::string bytes = test::read_text(folder / "other" / changed);
    bytes[1000] ^= 1;
    folder.write("other/" + changed, bytes);
    const auto applied = apply("other");
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().kind, ErrorKind::conflict) << applied.error().describe();
    expect_nothing_left();
  }
}

TEST_F(FolderDelta, OldFilesThatAreNotNeededMayHaveOtherBytes) {
  ASSERT_TRUE(make());
  folder.write("old/gone", "GONE");
  const auto applied = apply();
  ASSERT_TRUE(applied) << applied.error().describe();
  EXPECT_EQ(seen("out"), seen("new"));
}

TEST_F(FolderDelta, EveryDamageLeavesNoFolder) {
  ASSERT_TRUE(make());
  const Bytes whole = read_file(folder / "delta", 1 << 20).value();
  const auto write = [&](ByteView bytes) { folder.write("delta", std::string(as_text(bytes))); };
  const auto is = seen("new");
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    Bytes damaged = whole;
    damaged[at] ^= 0x10;
    write(damaged);
    if (apply()) {
      EXPECT_EQ(seen("out"), is) << at;
      fs::remove_all(folder / "out");
    }
    expect_nothing_left();
    write(ByteView(whole).first(at));
    EXPECT_FALSE(apply()) << at;
    expect_nothing_left();
  }
  Bytes longer = whole;
  longer.push_back(0);
  write(longer);
  EXPECT_FALSE(apply());
  expect_nothing_left();
}

TEST_F(FolderDelta, AStopLeavesNothing) {
  ASSERT_TRUE(make());
  options.stop.request_stop();
  EXPECT_EQ(apply().error().kind, ErrorKind::cancelled);
  fs::remove(folder / "delta");
  EXPECT_EQ(make().error().kind, ErrorKind::cancelled);
  expect_nothing_left();
}

TEST_F(FolderDelta, LinksOutOfTheTreeNeedAWord) {
  fs::create_symlink("/etc/passwd", folder / "new/outside");
  EXPECT_FALSE(make());
  options.allow_outside_links = true;
  ASSERT_TRUE(make());
  ASSERT_TRUE(apply());
  EXPECT_EQ(seen("out"), seen("new"));
  fs::remove_all(folder / "out");
  options.allow_outside_links = false;
  EXPECT_FALSE(apply());
  expect_nothing_left();
}

}  // namespace
}  // namespace shoal::publish
