// Updates by delta: all of it is made where nothing is wrong; where something is, what cannot be
// made is left to be fetched, and nothing else.
#include <fstream>

#include "delta_lab.hpp"

namespace shoal::install {
namespace {

namespace fs = std::filesystem;

Tree old_tree() {
  return {{"a", file_of(noise(1), true)}, {"b", file_of(noise(2))},
          {"c", file_of(noise(3))},       {"config", file_of(noise(4, 50'000))},
          {"gone", file_of("gone")},      {"moved", file_of(noise(5, 90'000))},
          {"stays", file_of(noise(6))}};
}

Tree new_tree() {
  auto tree = old_tree();
  for (const auto* name : {"a", "b", "c", "config"})
    tree[name].content = sprinkled(tree[name].content);
  tree["twice"] = file_of(tree["b"].content);  // made once, written twice
  tree["elsewhere"] = tree["moved"];
  tree["new"] = file_of(noise(7, 20'000));
  tree["empty"] = file_of("");
  tree.erase("gone");
  tree.erase("moved");
  return tree;
}

void change(const fs::path& path, std::size_t at, bool unseen) {
  auto time = fs::last_write_time(path);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file << "changed";
  file.close();
  if (unseen) fs::last_write_time(path, time);
}

FileIndex index_of(const Plan& plan, std::string_view path) {
  const auto& files = plan.components[0].target.component->files;
  for (std::uint32_t f = 0; f < files.size(); ++f)
    if (files[f].path.text() == path) return FileIndex(f);
  ADD_FAILURE() << path;
  return FileIndex(0);
}

std::uint64_t in_blocks(std::uint64_t bytes) {
  return (bytes / content::kBlockSize + 2) * content::kBlockSize;
}

TEST(Delta, MakesTheNewTreeAndLeavesNothingToFetch) {
  DeltaLab delta(old_tree(), new_tree());
  auto plan = delta.plan();
  ASSERT_OK(plan);
  const auto& choice = plan->components[0].choice;
  EXPECT_EQ(choice.way, Way::delta);
  EXPECT_EQ(plan->totals.edge_bytes, delta.delta.artifact->edge_bytes);
  EXPECT_EQ(plan->totals.fetch_bytes, delta.delta.artifact->size);
  EXPECT_EQ(plan->totals.delta_bytes, 4 * 300'000u + 50'000 + 20'000);
  auto staging = delta.stage_by_delta(*plan);
  ASSERT_OK(staging);
  EXPECT_FALSE(staging->components[0].delta_error);
  EXPECT_TRUE(staging->components[0].have.all());
  EXPECT_EQ(staging->delta_bytes, plan->totals.delta_bytes);
  EXPECT_EQ(staging->written_bytes + delta.delta.artifact->size, plan->totals.write_bytes);
  ASSERT_OK(delta.finish(*plan, *staging));
  EXPECT_EQ(delta.lab.fetched_bytes, 0u);
  EXPECT_EQ(difference(new_tree(), delta.lab.tree()), "");
  EXPECT_TRUE(delta.plan()->nothing_to_do);
  EXPECT_FALSE(fs::exists(delta.lab.root() / ".shoal/staging/c2"));
}

TEST(Delta, AFileThatTheUserChangedIsFetchedAndTheOthersAreMade) {
  DeltaLab delta(old_tree(), new_tree());
  change(delta.lab.path("b"), 100'000, false);
  auto plan = delta.plan();
  ASSERT_OK(plan);
  EXPECT_EQ(plan->components[0].choice.way, Way::delta);
  EXPECT_FALSE(plan->components[0].files[index_of(*plan, "b").value()].by_delta);
  EXPECT_TRUE(plan->components[0].files[index_of(*plan, "a").value()].by_delta);
  auto staging = delta.stage_by_delta(*plan);
  ASSERT_OK(staging);
  ASSERT_OK(delta.finish(*plan, *staging));
  EXPECT_LE(delta.lab.fetched_bytes, 2 * in_blocks(300'000));  // "b", and "twice", made from it
  EXPECT_EQ(difference(new_tree(), delta.lab.tree()), "");
  EXPECT_EQ(delta.lab.moved_aside, (std::vector<std::string>{".shoal/saved/c2/b"}));
}

TEST(Delta, AnOldFileThatIsGoneIsDoneWithout) {
  auto tree = new_tree();
  tree.erase("c");
  tree["c-renamed"] = new_tree()["c"];
  DeltaLab delta(old_tree(), tree);
  fs::remove(delta.lab.path("c"));  // what "c-renamed" is made from, under another path
  auto plan = delta.plan();
  ASSERT_OK(plan);
  EXPECT_TRUE(plan->components[0].files[index_of(*plan, "c-renamed").value()].by_delta);
  auto staging = delta.stage_by_delta(*plan);
  ASSERT_OK(staging);
  ASSERT_TRUE(staging->components[0].delta_error);
  EXPECT_EQ(staging->components[0].delta_error->kind, ErrorKind::conflict);
  ASSERT_OK(delta.finish(*plan, *staging));
  EXPECT_GE(delta.lab.fetched_bytes, 290'000u);
  EXPECT_LE(delta.lab.fetched_bytes, in_blocks(300'000));
  EXPECT_EQ(difference(tree, delta.lab.tree()), "");
}

TEST(Delta, AnOldFileThatChangesAfterThePlanCostsOnlyItsOwn) {
  DeltaLab delta(old_tree(), new_tree());
  auto plan = delta.plan();
  ASSERT_OK(plan);
  change(delta.lab.path("a"), 1000, false);
  auto staging = delta.stage_by_delta(*plan);
  ASSERT_OK(staging);
  EXPECT_TRUE(staging->components[0].delta_error);
  ASSERT_OK(delta.finish(*plan, *staging));
  EXPECT_LE(delta.lab.fetched_bytes, in_blocks(300'000));
  EXPECT_EQ(difference(new_tree(), delta.lab.tree()), "");
}

TEST(Delta, WhatItCannotMakeComesByChunks) {
  auto tree = old_tree();
  tree["a"].content.insert(200'000, "in the middle");
  DeltaLab delta(old_tree(), tree);
  auto plan = delta.plan();
  ASSERT_OK(plan);
  ASSERT_TRUE(plan->components[0].files[index_of(*plan, "a").value()].by_delta);
  change(delta.lab.path("a"), 1000, false);
  auto staging = delta.stage_by_delta(*plan);
  ASSERT_OK(staging);
  ASSERT_OK(delta.finish(*plan, *staging));
  EXPECT_LT(delta.lab.fetched_bytes, 150'000u);
  EXPECT_EQ(difference(tree, delta.lab.tree()), "");
}

TEST(Delta, DamageThatNoStampShowsCostsItsPieces) {
  DeltaLab delta(old_tree(), new_tree());
  change(delta.lab.path("a"), 200'000, true);
  auto plan = delta.plan();
  ASSERT_OK(plan);
  auto staging = delta.stage_by_delta(*plan);
  ASSERT_OK(staging);
  ASSERT_OK(delta.finish(*plan, *staging));
  EXPECT_GT(delta.lab.fetched_bytes, 0u);
  EXPECT_LE(delta.lab.fetched_bytes, 2 * 65'536u);
  EXPECT_EQ(difference(new_tree(), delta.lab.tree()), "");
}

TEST(Delta, ADamagedDeltaNeverMakesAWrongTree) {
  std::mt19937_64 random(3);
  const Tree old = {{"a", file_of(noise(1, 40'000))}, {"b", file_of(noise(2, 30'000))}};
  const Tree changed = {{"a", file_of(sprinkled(noise(1, 40'000)))},
                        {"b", file_of(sprinkled(noise(2, 30'000)))}};
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    DeltaLab delta(old, changed);
    auto at = random() % delta.delta.artifact->size;
    delta.delta.image[at] ^= static_cast<std::uint8_t>(1 + random() % 255);
    auto plan = delta.plan();
    ASSERT_OK(plan);
    ASSERT_EQ(plan->components[0].choice.way, Way::delta);
    auto staging = delta.stage_by_delta(*plan);
    ASSERT_OK(staging);
    ASSERT_OK(delta.finish(*plan, *staging));
    EXPECT_EQ(difference(changed, delta.lab.tree()), "");
  }
}

TEST(Delta, OneThatIsForAnotherTreeIsNotAppliedAndRecipesAreUsed) {
  auto old = old_tree();
  old["extra"] = file_of("x");
  DeltaLab delta(old_tree(), new_tree());
  auto other = release_of(old);
  delta.delta = sample_delta(other, delta.to);
  auto plan = delta.plan();
  ASSERT_OK(plan);
  ASSERT_EQ(plan->components[0].choice.way, Way::delta);
  auto staging = delta.stage_by_delta(*plan);
  ASSERT_OK(staging);
  ASSERT_TRUE(staging->components[0].delta_error);
  EXPECT_EQ(staging->components[0].delta_error->kind, ErrorKind::conflict);
  EXPECT_EQ(staging->delta_bytes, 0u);
  ASSERT_OK(delta.finish(*plan, *staging));
  EXPECT_EQ(difference(new_tree(), delta.lab.tree()), "");
}

TEST(Delta, WithoutTheDeltaTheSamePlanIsStagedByRecipes) {
  auto tree = old_tree();
  tree["a"].content.insert(150'000, "in the middle");
  DeltaLab delta(old_tree(), tree);
  auto plan = delta.plan();
  ASSERT_OK(plan);
  ASSERT_EQ(plan->components[0].choice.way, Way::delta);
  auto staging =
      stage(delta.lab.library, "c2", *plan, delta.lab.pool, delta.lab.stop, {}, {nullptr});
  ASSERT_OK(staging);
  ASSERT_OK(delta.finish(*plan, *staging));
  EXPECT_LT(delta.lab.fetched_bytes, 150'000u);
  EXPECT_EQ(difference(tree, delta.lab.tree()), "");
}

TEST(Delta, IsNotUsedWhereRecipesCostLess) {
  auto tree = old_tree();
  tree["a"].content.insert(150'000, "in the middle");
  DeltaLab delta(old_tree(), tree);
  delta.delta.artifact->edge_bytes = 500'000;
  auto plan = delta.plan();
  ASSERT_OK(plan);
  EXPECT_EQ(plan->components[0].choice.way, Way::recipes);
  EXPECT_EQ(plan->totals.delta_bytes, 0u);
  for (const auto& file : plan->components[0].files) EXPECT_FALSE(file.by_delta);
}

TEST(Delta, OfAComponentThatIsNotInstalledIsNotUsed) {
  DeltaLab delta(old_tree(), new_tree());
  delta.lab.installed.clear();
  auto plan = delta.plan();
  ASSERT_OK(plan);
  EXPECT_NE(plan->components[0].choice.way, Way::delta);
}

TEST(Delta, KilledAtEachStepItGoesOnWithTheNextGroup) {
  constexpr std::uint64_t kGroupBytes = 700'000;  // a file and its old self
  std::vector<std::string> steps;
  {
    DeltaLab delta(old_tree(), new_tree(), kGroupBytes);
    auto plan = delta.plan();
    ASSERT_OK(plan);
    ASSERT_OK(
        delta.stage_by_delta(*plan, [&](std::string_view step) { steps.emplace_back(step); }));
  }
  std::erase_if(steps, [](const auto& step) { return !step.starts_with("delta."); });
  ASSERT_GT(steps.size(), 3u);
  EXPECT_EQ(steps.back(), "delta.done");
  for (std::size_t k = 0; k < steps.size(); ++k) {
    SCOPED_TRACE(steps[k]);
    DeltaLab delta(old_tree(), new_tree(), kGroupBytes);
    auto plan = delta.plan();
    ASSERT_OK(plan);
    EXPECT_THROW((void)delta.stage_by_delta(*plan,
                                            [&](std::string_view step) {
                                              if (step == steps[k]) throw Killed{};
                                            }),
                 Killed);
    EXPECT_EQ(difference(old_tree(), delta.lab.tree()), "");
    auto again = delta.plan();
    ASSERT_OK(again);
    std::vector<std::string> later;
    auto fetched = stage_delta(delta.lab.library, "c2", "base", *delta.delta.artifact,
                               delta.delta.piece_hashes, delta.lab.pool, delta.lab.stop);
    ASSERT_OK(fetched);
    EXPECT_TRUE(fetched->have.all());
    auto staging = stage(delta.lab.library, "c2", *again, delta.lab.pool, delta.lab.stop,
                         [&](std::string_view step) {
                           if (step.starts_with("delta.")) later.emplace_back(step);
                         },
                         {DeltaLab::whole(*fetched)});
    ASSERT_OK(staging);
    EXPECT_EQ(later.front(), steps[k]);  // groups before it are not made again
    EXPECT_TRUE(staging->components[0].have.all());
    ASSERT_OK(delta.finish(*again, *staging));
    EXPECT_EQ(delta.lab.fetched_bytes, 0u);
    EXPECT_EQ(difference(new_tree(), delta.lab.tree()), "");
  }
}

TEST(Delta, WindowsThatAnEarlierRunMadeAreNotMadeAgain) {
  constexpr std::size_t kWindow = 1 << 20;
  const Tree old = {{"large", file_of(noise(8, 8 * kWindow))}};
  const Tree changed = {{"large", file_of(sprinkled(old.at("large").content))}};
  DeltaLab delta(old, changed);
  auto plan = delta.plan();
  ASSERT_OK(plan);
  ASSERT_OK(delta.stage_by_delta(*plan));
  // As a kill leaves it: one window is not there yet.
  change(delta.lab.root() / ".shoal/staging/c2/base/large", 5 * kWindow + 1000, false);
  auto staging = delta.stage_by_delta(*plan);
  ASSERT_OK(staging);
  EXPECT_TRUE(staging->components[0].have.all());
  EXPECT_EQ(staging->delta_bytes, 8 * kWindow);
  EXPECT_EQ(staging->delta_found_bytes, 7 * kWindow);
  EXPECT_LE(staging->written_bytes, kWindow);
  ASSERT_OK(delta.finish(*plan, *staging));
  EXPECT_EQ(delta.lab.fetched_bytes, 0u);
  EXPECT_EQ(difference(changed, delta.lab.tree()), "");
}

TEST(Delta, WhatAnEarlierRunMadeIsNotSpoiltByAnOldFileThatChangedSince) {
  DeltaLab delta(old_tree(), new_tree());
  auto plan = delta.plan();
  ASSERT_OK(plan);
  ASSERT_OK(delta.stage_by_delta(*plan));
  change(delta.lab.path("a"), 200'000, true);
  change(delta.lab.root() / ".shoal/staging/c2/base/c", 10'000, false);  // the group is made again
  auto staging = delta.stage_by_delta(*plan);
  ASSERT_OK(staging);
  EXPECT_TRUE(staging->components[0].have.all());
  ASSERT_OK(delta.finish(*plan, *staging));
  EXPECT_EQ(difference(new_tree(), delta.lab.tree()), "");
}

TEST(Delta, ItsFileIsFoundPieceByPieceAfterAKill) {
  DeltaLab delta(old_tree(), new_tree());
  ASSERT_GT(delta.delta.piece_hashes.size(), 1u);
  {
    auto staged = stage_delta(delta.lab.library, "c2", "base", *delta.delta.artifact,
                              delta.delta.piece_hashes, delta.lab.pool, delta.lab.stop);
    ASSERT_OK(staged);
    EXPECT_EQ(staged->have.count(), 0u);
    ASSERT_OK(staged->image->write(
        0, ByteView(delta.delta.image).first(delta.delta.artifact->piece_size)));
  }
  auto staged = stage_delta(delta.lab.library, "c2", "base", *delta.delta.artifact,
                            delta.delta.piece_hashes, delta.lab.pool, delta.lab.stop);
  ASSERT_OK(staged);
  EXPECT_EQ(staged->have.count(), 1u);
  EXPECT_TRUE(staged->have.has(PieceIndex(0)));
  ASSERT_OK(discard_staging(delta.lab.library, "c2"));
  EXPECT_FALSE(fs::exists(delta.lab.root() / ".shoal/staging/c2"));
}

}  // namespace
}  // namespace shoal::install
