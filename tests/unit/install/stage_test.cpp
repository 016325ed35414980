// What staging says is there is there, and what it says is missing is little.
#include <fstream>
#include <thread>

#include "lab.hpp"

namespace shoal::install {
namespace {

namespace fs = std::filesystem;

// Changes a file and gives it its old time back: what bit rot looks like, and what a stamp misses.
void damage_unseen(const fs::path& path, std::size_t at) {
  auto time = fs::last_write_time(path);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    char byte = static_cast<char>(file.get());
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(~byte));
  }
  fs::last_write_time(path, time);
}

TEST(Stage, AFirstInstallLacksEverythingButGaps) {
  Lab lab;
  std::vector releases = {release_of({{"a", file_of(noise(1, 70'000))}, {"b", file_of("b")}})};
  auto plan = lab.plan(releases);
  ASSERT_OK(plan);
  auto staging = stage(lab.library, "c1", *plan, lab.pool, lab.stop);
  ASSERT_OK(staging);
  const auto& staged = staging->components[0];
  EXPECT_EQ(staged.have.count(), 0u);
  ASSERT_TRUE(staged.partial.contains(PieceIndex(1)));
  EXPECT_EQ(staged.partial.at(PieceIndex(1)), (std::vector{false, true, true, true}));
  EXPECT_FALSE(staged.partial.contains(PieceIndex(0)));
}

TEST(Stage, ReusedBlocksAreRightAndComplementTheFetchedOnes) {
  Lab lab;
  auto bytes = noise(1, 1'000'000);
  ASSERT_OK(lab.change_to(release_of({{"a", file_of(bytes)}}), "c1"));
  bytes.replace(300'000, 10, "0123456789");
  bytes.insert(800'000, "x");
  std::vector releases = {release_of({{"a", file_of(bytes)}})};
  auto plan = lab.plan(releases);
  ASSERT_OK(plan);
  auto staging = stage(lab.library, "c2", *plan, lab.pool, lab.stop);
  ASSERT_OK(staging);
  auto& staged = staging->components[0];
  std::uint64_t missing = 0;
  std::uint64_t missing_bytes = 0;  // of the file
  for (std::uint32_t p = 0; p < staged.have.size(); ++p) {
    if (staged.have.has(PieceIndex(p))) continue;
    auto blocks = staged.partial.contains(PieceIndex(p)) ? staged.partial.at(PieceIndex(p))
                                                         : std::vector<bool>(4);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      if (!blocks[b]) {
        ++missing;
        missing_bytes += std::min<std::uint64_t>(
            content::kBlockSize, bytes.size() - (p * 65'536ULL + b * content::kBlockSize));
        continue;
      }
      Bytes block(content::kBlockSize);
      ASSERT_OK(staged.image->read(p * 65'536ULL + b * block.size(), block));
      EXPECT_TRUE(std::equal(block.begin(), block.end(),
                             releases[0].image.begin() +
                                 static_cast<std::ptrdiff_t>(p * 65'536ULL + b * block.size())));
    }
  }
  EXPECT_EQ(missing * content::kBlockSize, plan->totals.fetch_bytes);
  EXPECT_LE(missing, 12u);
  EXPECT_EQ(staging->reused_bytes, plan->totals.reuse_bytes);
  EXPECT_EQ(staging->written_bytes, bytes.size() - missing_bytes);  // none is written twice
}

// A block that is not wholly here is fetched: what is here of it would be written over.
TEST(Stage, NoChunkIsCopiedThatCompletesNoBlock) {
  Lab lab;
  auto bytes = noise(1, 1'000'000);
  ASSERT_OK(lab.change_to(release_of({{"a", file_of(bytes)}}), "c1"));
  for (std::size_t at = 0; at < bytes.size(); at += 12'000) bytes[at] ^= 1;
  std::vector releases = {release_of({{"a", file_of(bytes)}})};
  auto plan = lab.plan(releases);
  ASSERT_OK(plan);
  EXPECT_EQ(plan->totals.fetch_bytes, 62 * content::kBlockSize);  // all of it
  EXPECT_EQ(plan->totals.reuse_bytes, 0u);
  auto staging = stage(lab.library, "c2", *plan, lab.pool, lab.stop);
  ASSERT_OK(staging);
  EXPECT_EQ(staging->written_bytes, 0u);
}

TEST(Stage, AnUpdateThatOnlyMovesHasEverything) {
  Lab lab;
  Tree tree;
  for (int i = 0; i < 50; ++i)
    tree["v1/" + std::to_string(i)] = file_of(noise(static_cast<std::uint64_t>(i), 3'000));
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  Tree next;
  for (auto& [name, node] : tree) next["v2" + name.substr(2)] = node;
  std::vector releases = {release_of(next)};
  auto plan = lab.plan(releases);
  ASSERT_OK(plan);
  auto staging = stage(lab.library, "c2", *plan, lab.pool, lab.stop);
  ASSERT_OK(staging);
  EXPECT_TRUE(staging->components[0].have.all());
  EXPECT_EQ(staging->written_bytes, 0u);
}

TEST(Stage, DamageThatNoStampShowsIsFoundWhereItMatters) {
  Lab lab;
  Tree tree = {{"g/changes", file_of(noise(1, 10'000))},
               {"g/kept", file_of(noise(2, 20'000))},
               {"g/moved", file_of(noise(3, 20'000))},
               {"g/twice", file_of(noise(6, 12'000))},
               {"z/copied", file_of(noise(4, 90'000))}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  for (auto name : {"g/kept", "g/moved", "g/twice", "z/copied"})
    damage_unseen(lab.path(name), 5'000);
  Tree next = {{"g/changes", file_of(noise(5, 10'000))},
               {"g/kept", tree["g/kept"]},
               {"g/moved.to", tree["g/moved"]},
               {"g/twice.1", tree["g/twice"]},
               {"g/twice.2", tree["g/twice"]},
               {"z/copied", tree["z/copied"]},
               {"z/copy", tree["z/copied"]}};
  ASSERT_OK(lab.change_to(release_of(next), "c2"));
  // z/copied shares no piece with anything that was written: it is believed, and verify finds it.
  auto report = verify(lab.library, lab.folder, lab.installed, lab.pool, lab.stop);
  ASSERT_OK(report);
  ASSERT_EQ(report->wounds.size(), 1u);
  EXPECT_EQ(report->wounds[0].path.text(), "z/copied");
  lab.installed[0].stamps = report->stamps[0];
  ASSERT_OK(lab.change_to(release_of(next), "c3"));
  EXPECT_EQ(difference(next, lab.tree()), "");
}

TEST(Stage, AChangedOldFileGivesWhatIsStillGood) {
  Lab lab;
  auto bytes = noise(1, 1'000'000);
  Tree tree = {{"a", file_of(bytes)}};
  auto release = release_of(tree);
  ASSERT_OK(lab.change_to(release, "c1"));
  auto cut = bytes;
  cut.erase(500'000, 1'000);
  write_tree(lab.path(), {{"a", file_of(cut)}});
  ASSERT_OK(lab.change_to(release, "c2"));
  EXPECT_EQ(difference(tree, lab.tree()), "");
  EXPECT_LE(lab.fetched_bytes, 9 * 16'384u);
  EXPECT_EQ(lab.moved_aside.size(), 1u);
}

// A piece that peer and edge both sent is written twice, the second time maybe after the fetch was
// complete: right bytes, but a new time, which the commit would take for a change.
TEST(Stage, PiecesThatArriveTwiceDoNotDisturbVerificationAndCommit) {
  Lab lab;
  Tree tree = {{"a", file_of(noise(1, 9'000'000))}, {"b", file_of(noise(2, 200'000))}};
  std::vector releases = {release_of(tree)};
  auto plan = lab.plan(releases);
  ASSERT_OK(plan);
  auto staging = stage(lab.library, "c1", *plan, lab.pool, lab.stop);
  ASSERT_OK(staging);
  ASSERT_OK(lab.fetch(*plan, *staging, releases));
  std::atomic<bool> ended = false;
  std::atomic<int> rounds = 0;
  std::thread late([&] {
    auto last = PieceIndex(staging->components[0].have.size() - 1);
    auto bytes = releases[0].piece(last);
    for (; !ended; ++rounds)
      for (auto piece : {PieceIndex(0), last})
        EXPECT_TRUE(staging->components[0].image->write(piece.value() * bytes.size(),
                                                        releases[0].piece(piece)));
  });
  while (rounds == 0) std::this_thread::yield();
  auto journal = lab.journal(*plan, *staging, "c1");
  ended = true;
  late.join();
  ASSERT_OK(journal);
  auto outcome = roll_forward(lab.library, *journal);
  ASSERT_OK(outcome);
  EXPECT_EQ(difference(tree, lab.tree()), "");
}

TEST(Stage, WhatVerificationFindsDamagedCanBeWrittenAgain) {
  Lab lab;
  Tree tree = {{"a", file_of(noise(1))}, {"b", file_of(noise(2))}};
  std::vector releases = {release_of(tree)};
  auto plan = lab.plan(releases);
  ASSERT_OK(plan);
  auto staging = stage(lab.library, "c1", *plan, lab.pool, lab.stop);
  ASSERT_OK(staging);
  ASSERT_OK(lab.fetch(*plan, *staging, releases));
  damage_unseen(lab.root() / ".shoal/staging/c1/base/a", 100'000);
  auto damage = verify_staged(lab.library, *plan, *staging, lab.pool, lab.stop);
  ASSERT_OK(damage);
  ASSERT_EQ(damage->size(), 1u);
  ASSERT_OK(lab.fetch(*plan, *staging, releases));
  ASSERT_OK(lab.journal(*plan, *staging, "c1"));
}

TEST(Stage, DiscardingLeavesNothing) {
  Lab lab;
  std::vector releases = {release_of({{"a/b", file_of(noise(1))}})};
  auto plan = lab.plan(releases);
  ASSERT_OK(stage(lab.library, "c1", *plan, lab.pool, lab.stop));
  ASSERT_OK(discard_staging(lab.library, "c1"));
  EXPECT_TRUE(fs::is_empty(lab.root() / ".shoal/staging"));
  ASSERT_OK(discard_staging(lab.library, "c1"));
}

TEST(Stage, AStopIsHeard) {
  Lab lab;
  std::vector releases = {release_of({{"a", file_of(noise(1))}})};
  auto plan = lab.plan(releases);
  ASSERT_OK(plan);
  lab.stop.request_stop();
  auto staging = stage(lab.library, "c1", *plan, lab.pool, lab.stop);
  ASSERT_FALSE(staging.has_value());
  EXPECT_EQ(staging.error().kind, ErrorKind::cancelled);
  EXPECT_EQ(lab.plan(releases).error().kind, ErrorKind::cancelled);
}

TEST(Stage, AFileThatChangesAfterThePlanIsNotMistakenForTheOldOne) {
  Lab lab;
  Tree tree = {{"a", file_of(noise(1))}, {"b", file_of(noise(2))}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  Tree next = {{"moved", tree["a"]}, {"b", tree["b"]}, {"copy", tree["b"]}};
  std::vector releases = {release_of(next)};
  auto plan = lab.plan(releases);
  ASSERT_OK(plan);
  write_tree(lab.path(), {{"a", file_of("edited")}});
  auto staging = stage(lab.library, "c2", *plan, lab.pool, lab.stop);
  ASSERT_FALSE(staging.has_value());
  EXPECT_EQ(staging.error().kind, ErrorKind::conflict);
  ASSERT_OK(lab.change_to(releases, "c2"));  // planned anew
  EXPECT_EQ(difference(next, lab.tree()), "");
  EXPECT_EQ(lab.moved_aside, (std::vector<std::string>{".shoal/saved/c2/a"}));
}

TEST(Stage, RecipesThatLieCostBytesAndNothingElse) {
  Lab lab;
  auto release = release_of({{"a", file_of(noise(1))}});
  ASSERT_OK(lab.change_to(release, "c1"));
  auto next = release_of({{"a", file_of(noise(2))}});
  next.recipes = std::make_shared<content::Recipes>(*release.recipes);  // of the old bytes
  ASSERT_OK(lab.change_to(next, "c2"));
  EXPECT_EQ(difference({{"a", file_of(noise(2))}}, lab.tree()), "");
  EXPECT_GE(lab.fetched_bytes, 300'000u);
}

}  // namespace
}  // namespace shoal::install
