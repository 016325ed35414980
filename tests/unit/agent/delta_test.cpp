// Updates by delta as the agent carries them out: what is fetched, waited for, given up and told.
#include <algorithm>

#include "unit/agent/world.hpp"

namespace shoal::agent {
namespace {

using test::Machine;
using test::Publisher;
using test::random_text;
using test::TempDir;
using transfer::Consent;

using Files = std::map<std::string, std::string>;

Files first_tree() {
  return {{"game", random_text(700'000, 1)},
          {"level", random_text(900'000, 2)},
          {"stays", random_text(300'000, 3)}};
}

// One byte of every 4 KiB is another: recipes are of no use, and a delta is small.
Files second_tree() {
  auto files = first_tree();
  for (const auto* name : {"game", "level"})
    for (std::size_t i = 7; i < files[name].size(); i += 4096)
      files[name][i] = static_cast<char>(~files[name][i]);
  return files;
}

struct AgentDelta : testing::Test {
  Publisher publisher;
  TempDir state;
  std::filesystem::path installed = state / "library/game";

  void SetUp() override {
    publisher.release("1", first_tree());
    {
      Machine machine(publisher, state);
      machine.add_repository(publisher);
      ASSERT_EQ(machine.run(ChangeKind::install).state, ChangeState::done);
    }
    publisher.release("2", second_tree(), "game", {"1"});
  }
  void expect_second_tree() const {
    for (const auto& [path, bytes] : second_tree())
      EXPECT_EQ(test::read_text(installed / path), bytes) << path;
  }
};

bool says_not_used(const Change& change) {
  return std::ranges::any_of(change.notes, [](const FileNote& note) {
    return note.path.empty() && note.note.starts_with("delta_not_used: ");
  });
}

TEST_F(AgentDelta, APlanTellsTheWayAndItsCost) {
  Machine machine(publisher, state);
  std::optional<Result<PlanView>> plan;
  machine.agent->plan(Machine::request(ChangeKind::update),
                      [&](Result<PlanView> view) { plan = std::move(view); });
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return plan.has_value(); }));
  ASSERT_TRUE(*plan) << plan->error().describe();
  ASSERT_EQ((*plan)->components.size(), 1U);
  const auto& choice = (*plan)->components[0].choice;
  EXPECT_EQ(choice.way, install::Way::delta);
  EXPECT_EQ(choice.cost.edge_bytes, (*plan)->edge_bytes);
  EXPECT_LT((*plan)->edge_bytes, 100'000U);
  EXPECT_EQ((*plan)->delta_bytes, 1'600'000U);
}

TEST_F(AgentDelta, LittleIsFetchedAndTheNewVersionIsSeeded) {
  std::size_t artifacts_meanwhile = 0;
  Machine* running = nullptr;
  Machine machine(publisher, state, Consent::granted, [&](std::string_view step) {
    if (step == "delta.fetched") artifacts_meanwhile = running->swarm.artifacts.size();
  });
  running = &machine;
  auto change = machine.run(ChangeKind::update);
  ASSERT_EQ(change.state, ChangeState::done);
  EXPECT_EQ(artifacts_meanwhile, 2U);  // the old version, and the delta
  EXPECT_EQ(change.bytes.delta, 1'600'000U);
  EXPECT_EQ(change.bytes.edge, machine.edge.wire_bytes);
  EXPECT_LT(change.bytes.edge, 100'000U);
  EXPECT_EQ(change.bytes.fetched, change.bytes.total);
  auto task = std::ranges::find(change.tasks, TaskKind::delta, &Task::kind);
  ASSERT_NE(task, change.tasks.end());
  EXPECT_EQ(task->done_bytes, change.bytes.total);
  EXPECT_FALSE(says_not_used(change));
  expect_second_tree();
  // The new version, and beside it the delta, for those who come later.
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return machine.swarm.artifacts.size() == 2; }));
  for (const auto& [id, artifact] : machine.swarm.artifacts)
    EXPECT_TRUE(artifact.description.have.all());
  EXPECT_TRUE(machine.agent->installs().front().seeding);
}

TEST_F(AgentDelta, AnEdgeThatIsDownIsWaitedForAlsoOverARestart) {
  std::string id;
  {
    Machine machine(publisher, state);
    machine.edge.down = true;
    id = machine.agent->start(Machine::request(ChangeKind::update))->id;
    ASSERT_TRUE(machine.reaches(id, ChangeState::waiting));
  }
  Machine machine(publisher, state);
  ASSERT_TRUE(machine.reaches(id, ChangeState::done));
  EXPECT_EQ(machine.view(id).bytes.delta, 1'600'000U);
  EXPECT_FALSE(says_not_used(machine.view(id)));
  expect_second_tree();
}

TEST_F(AgentDelta, OneThatNoMirrorHasIsGivenUpAndSaysWhy) {
  Machine machine(publisher, state);
  machine.edge.down = true;
  machine.edge.failure = ErrorKind::source_unavailable;
  auto id = machine.agent->start(Machine::request(ChangeKind::update))->id;
  ASSERT_TRUE(test::run_until(machine.loop, [&] {
    return machine.view(id).state == ChangeState::waiting && says_not_used(machine.view(id));
  }));
  machine.edge.down = false;  // the content can be had
  ASSERT_TRUE(machine.reaches(id, ChangeState::done));
  EXPECT_EQ(machine.view(id).bytes.delta, 0U);
  EXPECT_EQ(machine.view(id).notes.size(), 1U);  // said once, though the stage met it too
  EXPECT_EQ(machine.view(id).bytes.fetched, machine.view(id).bytes.total);
  expect_second_tree();
}

TEST_F(AgentDelta, OneWithWrongBytesEverywhereIsGivenUp) {
  Machine machine(publisher, state);
  machine.edge.down = true;
  machine.edge.failure = ErrorKind::verification_failed;
  auto id = machine.agent->start(Machine::request(ChangeKind::update))->id;
  // The fake edge has wrong bytes of everything: of the content, too, which is an error.
  ASSERT_TRUE(machine.reaches(id, ChangeState::failed));
  EXPECT_TRUE(says_not_used(machine.view(id)));
  machine.edge.down = false;
  EXPECT_EQ(machine.run(ChangeKind::update).state, ChangeState::done);
  expect_second_tree();
}

TEST_F(AgentDelta, APausedOneGoesOn) {
  Machine machine(publisher, state);
  machine.edge.hold = true;
  auto id = machine.agent->start(Machine::request(ChangeKind::update))->id;
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return !machine.edge.busy().empty(); }));
  ASSERT_TRUE(machine.agent->pause(id));
  ASSERT_TRUE(machine.reaches(id, ChangeState::paused));
  machine.edge.release();
  ASSERT_TRUE(machine.agent->resume(id));
  ASSERT_TRUE(machine.reaches(id, ChangeState::done));
  EXPECT_EQ(machine.view(id).bytes.delta, 1'600'000U);
  expect_second_tree();
}

TEST_F(AgentDelta, ACancelledOneLeavesNothing) {
  Machine machine(publisher, state);
  machine.edge.hold = true;
  auto id = machine.agent->start(Machine::request(ChangeKind::update))->id;
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return !machine.edge.busy().empty(); }));
  ASSERT_TRUE(machine.agent->cancel(id));
  ASSERT_TRUE(machine.reaches(id, ChangeState::cancelled));
  EXPECT_TRUE(std::filesystem::is_empty(state / "library/.shoal/staging"));
  EXPECT_EQ(test::read_text(installed / "game"), first_tree()["game"]);
}

TEST_F(AgentDelta, WhatItMadeIsKnownAfterARestart) {
  std::string id;
  {
    Machine machine(publisher, state);
    id = machine.run(ChangeKind::update).id;
  }
  Machine machine(publisher, state);
  EXPECT_EQ(machine.view(id).bytes.delta, 1'600'000U);
}

}  // namespace
}  // namespace shoal::agent
