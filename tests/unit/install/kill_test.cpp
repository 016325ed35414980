// Each named step of a change in turn is where the process dies. Before the journal is made the old
// tree must be untouched; afterwards rolling forward again must give the new one, and what the
// earlier run had staged must not be fetched again.
#include "lab.hpp"

namespace shoal::install {
namespace {

Tree old_tree() {
  return {{"a", file_of(noise(1, 70'000))},        {"b", file_of(noise(2, 70'000), true)},
          {"config/x", file_of(noise(3, 30'000))}, {"edited", file_of(noise(4, 200'000))},
          {"folder/deep/f", file_of("f")},         {"gone", file_of("gone")},
          {"link", {Node::link, "a", false}},      {"mode", file_of("mode")},
          {"twice", file_of(noise(5, 20'000))}};
}

Tree new_tree() {
  auto old = old_tree();
  Tree tree = {{"a", old["b"]},  // swapped
               {"b", old["a"]},
               {"config", file_of("a file now")},
               {"edited", file_of(old["edited"].content.substr(1'000))},
               {"empty", {Node::folder, "", false}},
               {"folder", {Node::link, "empty", false}},
               {"link", {Node::link, "b", false}},
               {"mode", file_of("mode", true)},
               {"new/1", file_of(noise(6, 100'000))},
               {"new/none", file_of("")},
               {"twice.1", old["twice"]},
               {"twice.2", old["twice"]},
               {"users", file_of("the release's")}};
  return tree;
}

// The state of a machine on which the change runs until it is killed, and again until it ends.
struct Machine {
  Lab lab;
  std::vector<test::SampleRelease> releases = {release_of(new_tree())};
  Bytes journal;

  void prepare() {
    ASSERT_OK(lab.change_to(release_of(old_tree()), "c1"));
    write_tree(lab.path(), {{"users", file_of("mine")}});
  }
  Result<void> run(const StepHook& step) {
    if (journal.empty()) {
      SHOAL_ASSIGN(auto plan, lab.plan(releases, "c2"));
      SHOAL_ASSIGN(auto staging, stage(lab.library, "c2", plan, lab.pool, lab.stop, step));
      SHOAL_TRY(lab.fetch(plan, staging, releases));
      step("test.fetched");
      SHOAL_ASSIGN(journal, lab.journal(plan, staging, "c2"));
      step("test.journal");
    }
    SHOAL_ASSIGN(auto outcome, roll_forward(lab.library, journal, step));
    lab.adopt(releases, outcome);
    return {};
  }
};

std::vector<std::string> all_steps() {
  std::vector<std::string> steps;
  Machine machine;
  machine.prepare();
  auto done = machine.run([&](std::string_view step) { steps.emplace_back(step); });
  EXPECT_TRUE(done.has_value()) << done.error().describe();
  return steps;
}

TEST(Kill, AtEachStepLeavesTheOldTreeOrLeadsToTheNewOne) {
  auto old = old_tree();
  old["users"] = file_of("mine");
  auto steps = all_steps();
  EXPECT_GT(steps.size(), 20u);
  for (std::size_t k = 0; k < steps.size(); ++k) {
    SCOPED_TRACE(steps[k]);
    Machine machine;
    machine.prepare();
    std::size_t count = 0;
    bool killed = false;
    try {
      ASSERT_OK(machine.run([&](std::string_view) {
        if (count++ == k) throw Killed{};
      }));
    } catch (const Killed&) {
      killed = true;
    }
    EXPECT_TRUE(killed);
    if (machine.journal.empty()) {
      EXPECT_EQ(difference(old, machine.lab.tree()), "");
    }
    ASSERT_OK(machine.run([](std::string_view) {}));
    EXPECT_EQ(difference(new_tree(), machine.lab.tree()), "");
    ASSERT_EQ(machine.lab.moved_aside, (std::vector<std::string>{".shoal/saved/c2/users"}));
    EXPECT_EQ(test::read_text(machine.lab.root() / machine.lab.moved_aside[0]), "mine");
    if (steps[k] == "test.fetched") {
      EXPECT_EQ(machine.lab.fetched_bytes, 0u);
    }
    auto plan = machine.lab.plan(machine.releases);
    ASSERT_OK(plan);
    EXPECT_TRUE(plan->nothing_to_do);
  }
}

TEST(Kill, RollingForwardTwiceIsRollingForwardOnce) {
  Machine machine;
  machine.prepare();
  ASSERT_OK(machine.run([](std::string_view) {}));
  auto again = roll_forward(machine.lab.library, machine.journal);
  ASSERT_OK(again);
  EXPECT_EQ(difference(new_tree(), machine.lab.tree()), "");
  EXPECT_EQ(again->stamps[0], machine.lab.installed[0].stamps);
}

TEST(Kill, DamagedJournalsAreRefused) {
  Machine machine;
  machine.prepare();
  ASSERT_OK(machine.run([](std::string_view) {}));
  EXPECT_EQ(roll_forward(machine.lab.library, {}).error().kind, ErrorKind::state_corrupt);
  std::mt19937_64 random(7);
  for (int i = 0; i < 200; ++i) {
    Bytes damaged = machine.journal;
    damaged[random() % damaged.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
    auto outcome = roll_forward(machine.lab.library, damaged);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().kind, ErrorKind::state_corrupt);
    damaged = machine.journal;
    damaged.resize(random() % damaged.size());
    EXPECT_FALSE(roll_forward(machine.lab.library, damaged).has_value());
  }
}

TEST(Resume, WhatWasFetchedIsFoundAndNotFetchedAgain) {
  Lab lab;
  Tree tree = {{"big", file_of(noise(1, 1'000'000))}, {"small", file_of("s")}};
  std::vector releases = {release_of(tree)};
  std::uint64_t first_bytes = 0;
  {
    auto plan = lab.plan(releases, "c1");
    ASSERT_OK(plan);
    auto staging = stage(lab.library, "c1", *plan, lab.pool, lab.stop);
    ASSERT_OK(staging);
    EXPECT_EQ(staging->resumed_bytes, 0u);
    for (std::uint32_t p = 0; p < 8; ++p) {
      auto bytes = releases[0].piece(PieceIndex(p));
      ASSERT_OK(staging->components[0].image->write(p * bytes.size(), bytes));
      first_bytes += bytes.size();
    }
  }
  auto plan = lab.plan(releases, "c1");
  ASSERT_OK(plan);
  auto staging = stage(lab.library, "c1", *plan, lab.pool, lab.stop);
  ASSERT_OK(staging);
  EXPECT_EQ(staging->resumed_bytes, first_bytes);
  EXPECT_EQ(staging->components[0].have.count(), 8u);
  ASSERT_OK(lab.fetch(*plan, *staging, releases));
  EXPECT_EQ(lab.fetched_bytes + first_bytes, plan->totals.fetch_bytes);
  ASSERT_OK(lab.journal(*plan, *staging, "c1"));
}

TEST(Resume, BytesThatWereDamagedMeanwhileAreFetchedAgain) {
  Lab lab;
  std::vector releases = {release_of({{"big", file_of(noise(1, 1'000'000))}})};
  auto plan = lab.plan(releases, "c1");
  ASSERT_OK(plan);
  {
    auto staging = stage(lab.library, "c1", *plan, lab.pool, lab.stop);
    ASSERT_OK(staging);
    ASSERT_OK(lab.fetch(*plan, *staging, releases));
    std::uint8_t wrong[] = {1, 2, 3};
    ASSERT_OK(staging->components[0].image->write(100'000, wrong));
    auto damage = verify_staged(lab.library, *plan, *staging, lab.pool, lab.stop);
    ASSERT_OK(damage);
    ASSERT_EQ(damage->size(), 1u);
    EXPECT_EQ((*damage)[0].pieces, std::vector{PieceIndex(1)});
    EXPECT_FALSE(prepare_commit(lab.library, *plan, *staging, "c1").has_value());
  }
  auto staging = stage(lab.library, "c1", *plan, lab.pool, lab.stop);
  ASSERT_OK(staging);
  EXPECT_EQ(staging->components[0].have.size() - staging->components[0].have.count(), 1u);
  ASSERT_OK(lab.fetch(*plan, *staging, releases));
  EXPECT_EQ(lab.fetched_bytes, 65'536u);
  ASSERT_OK(lab.journal(*plan, *staging, "c1"));
}

}  // namespace
}  // namespace shoal::install
