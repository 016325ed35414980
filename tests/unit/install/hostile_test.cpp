// Attacks on a change while it runs, and file systems that say no.
#include <sys/stat.h>

#include "lab.hpp"
#include "support/mounted.hpp"

namespace shoal::install {
namespace {

namespace fs = std::filesystem;

// Runs the change and calls `attack` at every step, from the first on.
void run_under_attack(Lab& lab, const test::SampleRelease& release,
                      const std::function<void()>& attack) {
  lab.hook = [&](std::string_view) { attack(); };
  (void)lab.change_to(release, "c2");  // may fail: what matters is what it did not do
  lab.hook = {};
}

TEST(Attack, AFolderSwappedForALinkDuringTheChangeLeadsNowhere) {
  Lab lab;
  auto outside = lab.temp / "outside";
  fs::create_directories(lab.temp / "library");
  Lab victim(lab.temp / "library");
  write_tree(outside, {{"x", file_of("theirs")}, {"y", file_of("theirs")}});
  Tree tree = {{"d/x", file_of("x")}, {"d/gone", file_of("gone")}};
  ASSERT_OK(victim.change_to(release_of(tree), "c1"));
  Tree next = {{"d/x", file_of("x2")}, {"d/y", file_of("y2")}, {"d/e/z", file_of("z")}};
  int count = 0;
  run_under_attack(victim, release_of(next), [&] {
    if (++count % 2 == 0) return;
    fs::rename(victim.path("d"), victim.path("d" + std::to_string(count)));
    fs::create_directory_symlink(outside, victim.path("d"));
  });
  EXPECT_EQ(difference({{"x", file_of("theirs")}, {"y", file_of("theirs")}}, read_tree(outside)),
            "");
}

TEST(Attack, AStagingFolderSwappedForALinkLeadsNowhere) {
  Lab lab;
  auto outside = lab.temp / "outside";
  fs::create_directories(outside);
  fs::create_directories(lab.temp / "library/.shoal/staging");
  Lab victim(lab.temp / "library");
  fs::create_directory_symlink(outside, lab.temp / "library/.shoal/staging/c1");
  auto done = victim.change_to(release_of({{"a", file_of(noise(1))}}), "c1");
  ASSERT_FALSE(done.has_value());
  EXPECT_TRUE(fs::is_empty(outside));
}

TEST(Attack, ThingsPlantedInTheStagingFolderAreReplaced) {
  Lab lab;
  auto staging = lab.root() / ".shoal/staging/c1/base";
  fs::create_directories(staging / "folder/inside");
  ASSERT_EQ(::mkfifo((staging / "pipe").c_str(), 0600), 0);
  fs::create_symlink("/etc/passwd", staging / "link");
  write_tree(lab.root(), {{"precious", file_of(std::string(5, 'p'))}});
  fs::create_hard_link(lab.root() / "precious", staging / "hard");
  Tree tree = {{"folder", file_of("f")},
               {"hard", file_of("h1234")},
               {"link", file_of("l")},
               {"pipe", file_of("p")}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  EXPECT_EQ(difference(tree, lab.tree()), "");
  EXPECT_EQ(test::read_text(lab.root() / "precious"), "ppppp");
}

TEST(Attack, APipePlantedInPlaceOfAFileIsNotWaitedFor) {
  Lab lab;
  Tree tree = {{"a", file_of(noise(1))}, {"b", file_of("b")}};
  auto release = release_of(tree);
  ASSERT_OK(lab.change_to(release, "c1"));
  fs::remove(lab.path("a"));
  ASSERT_EQ(::mkfifo(lab.path("a").c_str(), 0600), 0);
  auto report = verify(lab.library, lab.folder, lab.installed, lab.pool, lab.stop);
  ASSERT_OK(report);
  ASSERT_EQ(report->wounds.size(), 1u);
  EXPECT_EQ(report->wounds[0].kind, WoundKind::wrong_type);
  ASSERT_OK(lab.change_to(release, "c2"));
  EXPECT_EQ(difference(tree, lab.tree()), "");
}

TEST(Attack, AHardLinkOutsideTheInstallIsNeverWrittenThrough) {
  Lab lab;
  auto bytes = noise(1);
  Tree tree = {{"a", file_of(bytes)}, {"b", file_of(noise(2), true)}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  fs::create_hard_link(lab.path("a"), lab.root() / "backup");
  Tree next = {{"a", file_of(bytes + "more")}, {"c", tree["b"]}};
  ASSERT_OK(lab.change_to(release_of(next), "c2"));
  EXPECT_EQ(difference(next, lab.tree()), "");
  EXPECT_EQ(test::read_text(lab.root() / "backup"), bytes);
}

TEST(Attack, OldPathsThatAreOneInodeAreMovedOnce) {
  Lab lab;
  auto bytes = noise(1);
  Tree tree = {{"a", file_of(bytes)}, {"b", file_of(bytes)}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  fs::remove(lab.path("b"));
  fs::create_hard_link(lab.path("a"), lab.path("b"));
  Tree next = {{"c", file_of(bytes)}, {"d", file_of(bytes, true)}};
  ASSERT_OK(lab.change_to(release_of(next), "c2"));
  EXPECT_EQ(difference(next, lab.tree()), "");
}

TEST(Limits, AMisfitOfDocumentsIsRefused) {
  Lab lab;
  auto release = release_of({{"a", file_of(noise(1))}});
  auto other = release_of({{"a", file_of("x")}, {"b", file_of("y")}});
  auto wrong_recipes = release;
  wrong_recipes.recipes = other.recipes;
  EXPECT_EQ(lab.plan({wrong_recipes}).error().kind, ErrorKind::metadata_invalid);
  auto wrong_hashes = release;
  wrong_hashes.piece_hashes = other.piece_hashes;
  EXPECT_EQ(lab.plan({wrong_hashes}).error().kind, ErrorKind::metadata_invalid);
  auto wrong_index = release;
  wrong_index.index = other.index;
  EXPECT_EQ(lab.plan({wrong_index}).error().kind, ErrorKind::metadata_invalid);
}

TEST(FullDisk, IsSaidBeforeAnythingIsWritten) {
  test::Mounted disk;
  if (!disk.mount()) GTEST_SKIP() << "cannot mount a loop file here";
  Lab lab(disk.path());
  auto plan = lab.plan({release_of({{"a", file_of(noise(1, 20'000'000))}})});
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().kind, ErrorKind::disk_full);
  EXPECT_NE(plan.error().message.find("20000768 bytes are needed"), std::string::npos)
      << plan.error().message;
  EXPECT_FALSE(fs::exists(disk.path() / ".shoal"));
}

TEST(FullDisk, ThatFillsUpDuringStagingLosesNothing) {
  test::Mounted disk;
  if (!disk.mount()) GTEST_SKIP() << "cannot mount a loop file here";
  Lab lab(disk.path());
  Tree tree = {{"a", file_of(noise(1, 1'000'000))}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  std::vector releases = {release_of({{"a", file_of(noise(2, 3'000'000))}})};
  auto plan = lab.plan(releases, "c2");
  ASSERT_OK(plan);
  auto free = lab.library.free_bytes().value();
  write_tree(disk.path(), {{"ballast", file_of(std::string(free - 1'000'000, 'b'))}});
  auto staging = stage(lab.library, "c2", *plan, lab.pool, lab.stop);
  ASSERT_FALSE(staging.has_value());
  EXPECT_EQ(staging.error().kind, ErrorKind::disk_full);
  EXPECT_EQ(difference(tree, lab.tree()), "");
  EXPECT_EQ(lab.plan(releases, "c2").error().kind, ErrorKind::disk_full);
  fs::remove(disk.path() / "ballast");
  ASSERT_OK(lab.change_to(releases, "c2"));
}

TEST(FullDisk, CountsWhatAnEarlierRunHasStaged) {
  test::Mounted disk;
  if (!disk.mount()) GTEST_SKIP() << "cannot mount a loop file here";
  Lab lab(disk.path());
  auto free = lab.library.free_bytes().value();
  std::vector releases = {release_of({{"a", file_of(noise(1, free * 2 / 3))}})};
  auto plan = lab.plan(releases, "c1");
  ASSERT_OK(plan);
  ASSERT_OK(stage(lab.library, "c1", *plan, lab.pool, lab.stop));
  EXPECT_FALSE(lab.plan(releases).has_value());
  ASSERT_OK(lab.plan(releases, "c1"));
  ASSERT_OK(lab.change_to(releases, "c1"));
}

TEST(ReadOnly, ALibraryThatCannotBeWrittenIsRefusedByThePlan) {
  test::Mounted disk;
  if (!disk.mount()) GTEST_SKIP() << "cannot mount a loop file here";
  auto release = release_of({{"a", file_of("a")}});
  Tree installed = {{"a", file_of("a")}};
  write_tree(disk.path() / "game", installed);
  ASSERT_TRUE(disk.remount_read_only());
  Lab lab(disk.path());
  auto plan = lab.plan({release_of({{"a", file_of("b")}})});
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().kind, ErrorKind::read_only);
}

}  // namespace
}  // namespace shoal::install
