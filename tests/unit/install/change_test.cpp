// Tables of (old tree, what the user did, new tree): what a change makes of them.
#include <sys/stat.h>

#include <fstream>

#include "lab.hpp"

namespace shoal::install {
namespace {

namespace fs = std::filesystem;

void expect_tree(const Lab& lab, const Tree& tree) { EXPECT_EQ(difference(tree, lab.tree()), ""); }

Tree sample_tree() {
  return {{"bin/game", file_of(noise(1), true)},
          {"data/a.pak", file_of(noise(2, 1'000'000))},
          {"data/small.txt", file_of("small")},
          {"data/empty", file_of("")},
          {"lib/libgame.so", {Node::link, "libgame.so.1", false}},
          {"lib/libgame.so.1", file_of(noise(3, 70'000), true)},
          {"saves", {Node::folder, "", false}}};
}

TEST(Install, FirstInstallEqualsTheSource) {
  Lab lab;
  auto tree = sample_tree();
  auto release = release_of(tree);
  auto plan = lab.plan({release});
  ASSERT_OK(plan);
  EXPECT_FALSE(plan->nothing_to_do);
  EXPECT_EQ(plan->totals.reuse_bytes, 0u);
  EXPECT_EQ(plan->totals.final_bytes, release.component->total_bytes());
  EXPECT_EQ(plan->totals.edge_bytes, plan->totals.fetch_bytes);  // frames are blocks, stored plain
  ASSERT_OK(lab.change_to(release, "c1"));
  EXPECT_EQ(lab.fetched_bytes, plan->totals.fetch_bytes);
  expect_tree(lab, tree);
  EXPECT_TRUE(fs::is_empty(lab.root() / ".shoal/staging"));
  auto image = TreeImage::of_installed(lab.library, lab.folder, lab.installed[0]);
  EXPECT_TRUE(image->complete_pieces().all());
}

TEST(Install, TheSameReleaseAgainIsNothingToDo) {
  Lab lab;
  auto release = release_of(sample_tree());
  ASSERT_OK(lab.change_to(release, "c1"));
  auto plan = lab.plan({release});
  ASSERT_OK(plan);
  EXPECT_TRUE(plan->nothing_to_do);
  EXPECT_EQ(plan->totals.fetch_bytes, 0u);
  EXPECT_EQ(plan->totals.write_bytes, 0u);
}

TEST(Update, AnEditedFileFetchesOnlyAroundTheEdit) {
  Lab lab;
  auto tree = sample_tree();
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  tree["data/a.pak"].content.insert(500'000, "inserted");
  ASSERT_OK(lab.change_to(release_of(tree), "c2"));
  expect_tree(lab, tree);
  EXPECT_LE(lab.fetched_bytes, 10 * 16'384u);
  EXPECT_GT(lab.fetched_bytes, 0u);
}

TEST(Update, ARenamedFileIsLinkedNotCopied) {
  Lab lab;
  auto tree = sample_tree();
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  auto inode = lab.library.status(*RelativePath::parse("game/data/a.pak"))->stamp.inode;
  tree["other/b.pak"] = tree["data/a.pak"];
  tree.erase("data/a.pak");
  auto release = release_of(tree);
  auto plan = lab.plan({release});
  ASSERT_OK(plan);
  EXPECT_EQ(plan->totals.write_bytes, 0u);
  EXPECT_EQ(plan->totals.peak_extra_bytes, 0u);
  ASSERT_OK(lab.change_to(release, "c2"));
  EXPECT_EQ(lab.fetched_bytes, 0u);
  expect_tree(lab, tree);
  auto now = lab.library.status(*RelativePath::parse("game/other/b.pak"));
  EXPECT_EQ(now->stamp.inode, inode);
  EXPECT_EQ(now->links, 1u);
}

TEST(Update, TwoFilesThatSwapPlaces) {
  Lab lab;
  Tree tree = {{"a", file_of(noise(1))}, {"b", file_of(noise(2), true)}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  std::swap(tree["a"], tree["b"]);
  ASSERT_OK(lab.change_to(release_of(tree), "c2"));
  EXPECT_EQ(lab.fetched_bytes, 0u);
  expect_tree(lab, tree);
}

TEST(Update, OneOldFileUnderManyNewNames) {
  Lab lab;
  Tree tree = {{"a", file_of(noise(1))}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  Tree next = {{"b", tree["a"]}, {"c", tree["a"]}, {"d/e", tree["a"]}};
  ASSERT_OK(lab.change_to(release_of(next), "c2"));
  EXPECT_EQ(lab.fetched_bytes, 0u);
  expect_tree(lab, next);
  for (auto name : {"game/b", "game/c", "game/d/e"})
    EXPECT_EQ(lab.library.status(*RelativePath::parse(name))->links, 1u) << name;
}

TEST(Update, FilesBecomeFoldersAndFoldersBecomeFiles) {
  Lab lab;
  Tree tree = {{"a", file_of(noise(1))}, {"b/x", file_of(noise(2))}, {"b/y/z", file_of("z")}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  Tree next = {{"a/x", tree["b/x"]}, {"a/y", tree["a"]}, {"b", file_of("now a file")}};
  ASSERT_OK(lab.change_to(release_of(next), "c2"));
  expect_tree(lab, next);
  EXPECT_TRUE(lab.moved_aside.empty());
}

TEST(Update, LinksAndFilesAndFoldersExchangeKinds) {
  Lab lab;
  Tree tree = {{"a", {Node::link, "x", false}},
               {"b", file_of("b")},
               {"c", {Node::folder, "", false}},
               {"d/f", file_of("f")},
               {"lib/x.so", file_of(noise(9))}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  Tree next = {{"a", file_of("a")},
               {"b", {Node::link, "a", false}},
               {"c", file_of("c")},
               {"d", {Node::link, "lib64", false}},
               {"lib", {Node::link, "lib64", false}},
               {"lib64/x.so", tree["lib/x.so"]}};
  ASSERT_OK(lab.change_to(release_of(next), "c2"));
  expect_tree(lab, next);
  ASSERT_OK(lab.change_to(release_of(tree), "c3"));
  expect_tree(lab, tree);
  EXPECT_TRUE(lab.moved_aside.empty());
}

TEST(Update, ExecutableBitsFollowTheRelease) {
  Lab lab;
  Tree tree = {{"kept", file_of(noise(1))}, {"moved", file_of(noise(2), true)}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  Tree next = {{"kept", file_of(noise(1), true)}, {"gone/moved", file_of(noise(2))}};
  auto plan = lab.plan({release_of(next)});
  ASSERT_OK(plan);
  EXPECT_FALSE(plan->nothing_to_do);
  ASSERT_OK(lab.change_to(release_of(next), "c2"));
  EXPECT_EQ(lab.fetched_bytes, 0u);
  expect_tree(lab, next);
}

TEST(Update, FilesOfTheUserAreLeftAlone) {
  Lab lab;
  Tree tree = {{"data/a", file_of("a")}, {"old/b", file_of("b")}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  write_tree(lab.path(), {{"data/mine", file_of("mine")}, {"old/notes", file_of("notes")}});
  Tree next = {{"data/a", file_of("a2")}};
  ASSERT_OK(lab.change_to(release_of(next), "c2"));
  next["data/mine"] = file_of("mine");
  next["old/notes"] = file_of("notes");
  expect_tree(lab, next);
  EXPECT_TRUE(lab.moved_aside.empty());
}

TEST(Update, AChangedContentFileIsMovedAside) {
  Lab lab;
  Tree tree = {{"data/a", file_of(noise(1))}, {"gone", file_of("gone")}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  write_tree(lab.path(), {{"data/a", file_of("my mod")}, {"gone", file_of("my gone")}});
  Tree next = {{"data/a", file_of(noise(4))}};
  auto plan = lab.plan({release_of(next)});
  ASSERT_OK(plan);
  EXPECT_EQ(plan->moved_aside.size(), 2u);
  ASSERT_OK(lab.change_to(release_of(next), "c2"));
  expect_tree(lab, next);
  ASSERT_EQ(lab.moved_aside.size(), 2u);
  EXPECT_EQ(lab.moved_aside[0], ".shoal/saved/c2/data/a");
  EXPECT_EQ(test::read_text(lab.root() / lab.moved_aside[0]), "my mod");
  EXPECT_EQ(test::read_text(lab.root() / lab.moved_aside[1]), "my gone");
}

TEST(Update, UnknownThingsInTheWayAreMovedAsideWhole) {
  Lab lab;
  ASSERT_OK(lab.change_to(release_of({{"a", file_of("a")}}), "c1"));
  write_tree(lab.path(), {{"file", file_of("mine")},
                          {"folder/inside", file_of("mine too")},
                          {"obstacle", file_of("where a folder goes")},
                          {"link", {Node::link, "/etc", false}}});
  ASSERT_EQ(::mkfifo(lab.path("pipe").c_str(), 0600), 0);
  Tree next = {{"file", file_of("f")},
               {"folder", file_of("now a file")},
               {"obstacle/x", file_of("x")},
               {"link/y", file_of("y")},
               {"pipe", file_of("p")}};
  ASSERT_OK(lab.change_to(release_of(next), "c2"));
  expect_tree(lab, next);
  auto saved = lab.root() / ".shoal/saved/c2";
  EXPECT_EQ(test::read_text(saved / "file"), "mine");
  EXPECT_EQ(test::read_text(saved / "folder/inside"), "mine too");
  EXPECT_EQ(test::read_text(saved / "obstacle"), "where a folder goes");
  EXPECT_EQ(fs::read_symlink(saved / "link"), "/etc");
  EXPECT_TRUE(fs::is_fifo(fs::symlink_status(saved / "pipe")));
  EXPECT_FALSE(fs::exists("/etc/y"));
  EXPECT_EQ(lab.moved_aside.size(), 5u);
}

TEST(Update, AFileTheUserMakesBetweenPlanAndCommitIsNotLost) {
  Lab lab;
  Tree tree = {{"a", file_of("old a")}, {"b", file_of("old b")}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  std::vector releases = {release_of({{"a", file_of("new a")}, {"c/d", file_of("d")}})};
  auto plan = lab.plan(releases);
  ASSERT_OK(plan);
  auto staging = stage(lab.library, "c2", *plan, lab.pool, lab.stop);
  ASSERT_OK(staging);
  ASSERT_OK(lab.fetch(*plan, *staging, releases));
  auto journal = lab.journal(*plan, *staging, "c2");
  ASSERT_OK(journal);
  write_tree(lab.path(),
             {{"a", file_of("edited a")}, {"b", file_of("edited b")}, {"c", file_of("new c")}});
  auto outcome = roll_forward(lab.library, *journal);
  ASSERT_OK(outcome);
  auto saved = lab.root() / ".shoal/saved/c2";
  EXPECT_EQ(test::read_text(saved / "a"), "edited a");
  EXPECT_EQ(test::read_text(saved / "c"), "new c");
  expect_tree(lab, {{"a", file_of("new a")}, {"b", file_of("edited b")}, {"c/d", file_of("d")}});
}

content::FileClass class_by_suffix(const std::string& path) {
  if (path.ends_with(".ini")) return content::FileClass::config;
  if (path.ends_with(".save")) return content::FileClass::create_once;
  return content::FileClass::content;
}

TEST(Update, ConfigStaysWhenTheUserChangedItAndFollowsTheReleaseOtherwise) {
  Lab lab;
  test::SampleOptions options;
  options.class_of = class_by_suffix;
  Tree tree = {{"mine.ini", file_of("1")},
               {"plain.ini", file_of("1")},
               {"x.save", file_of("1")},
               {"big", file_of(noise(5))}};
  ASSERT_OK(lab.change_to(release_of(tree, options), "c1"));
  write_tree(lab.path(), {{"mine.ini", file_of("changed")}});
  Tree next = {{"mine.ini", file_of("2")},
               {"plain.ini", file_of("2")},
               {"x.save", file_of("2")},
               {"big", file_of(noise(5))}};
  ASSERT_OK(lab.change_to(release_of(next, options), "c2"));
  next["mine.ini"] = file_of("changed");
  next["x.save"] = file_of("1");
  expect_tree(lab, next);
  EXPECT_TRUE(lab.moved_aside.empty());
  auto image = TreeImage::of_installed(lab.library, lab.folder, lab.installed[0]);
  EXPECT_FALSE(image->complete_pieces().all());  // the group with the changed file is not offered
  EXPECT_GT(image->complete_pieces().count(), 0u);
}

TEST(Install, ALibraryWhoseDatabaseWasLostIsAdopted) {
  Lab lab;
  auto tree = sample_tree();
  auto release = release_of(tree);
  write_tree(lab.path(), tree);
  auto plan = lab.plan({release});
  ASSERT_OK(plan);
  EXPECT_EQ(plan->totals.fetch_bytes, 0u);
  EXPECT_TRUE(plan->moved_aside.empty());
  EXPECT_FALSE(plan->nothing_to_do);  // its stamps are to be kept
  ASSERT_OK(lab.change_to(release, "c1"));
  expect_tree(lab, tree);
  EXPECT_TRUE(lab.plan({release})->nothing_to_do);
}

TEST(Update, ATouchedFileIsStillWhatItWas) {
  Lab lab;
  auto tree = sample_tree();
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  fs::last_write_time(lab.path("data/a.pak"), fs::file_time_type::clock::now());
  auto plan = lab.plan({release_of(tree)});
  ASSERT_OK(plan);
  EXPECT_EQ(plan->totals.fetch_bytes, 0u);
  EXPECT_TRUE(plan->moved_aside.empty());
}

TEST(Update, SeveralComponentsShareOneFolderAndTheirOldBytes) {
  Lab lab;
  Tree base = {{"bin/game", file_of(noise(1), true)}};
  Tree pack = {{"lang/de.pak", file_of(noise(2))}};
  test::SampleOptions de;
  de.name = "lang-de";
  ASSERT_OK(lab.change_to(std::vector{release_of(base), release_of(pack, de)}, "c1"));
  // The pack's file goes over to the base, changed a little; the pack keeps another.
  Tree next_base = {{"bin/game", base["bin/game"]}, {"all/de.pak", pack["lang/de.pak"]}};
  next_base["all/de.pak"].content += "more";
  Tree next_pack = {{"lang/de.txt", file_of("de")}};
  ASSERT_OK(lab.change_to(std::vector{release_of(next_base), release_of(next_pack, de)}, "c2"));
  next_base.merge(next_pack);
  expect_tree(lab, next_base);
  EXPECT_LE(lab.fetched_bytes, 7 * 16'384u);
}

}  // namespace
}  // namespace shoal::install
