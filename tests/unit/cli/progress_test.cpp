// A change's lines, in each of its states.
#include "cli/shoal/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/shoal/show.hpp"

namespace shoal::cli {
namespace {

using protocol::ChangeState;
using testing::HasSubstr;
using testing::Not;

protocol::Change fetching() {
  protocol::Change change;
  change.id = "c1";
  change.kind = protocol::ChangeKind::update;
  change.state = ChangeState::running;
  change.product = "game";
  change.version = "2.0";
  change.tasks = {{protocol::TaskKind::plan, protocol::TaskState::done, 0, 0},
                  {protocol::TaskKind::fetch, protocol::TaskState::running, 0, 0}};
  change.bytes.total = 64'000'000;
  change.bytes.fetched = 32'000'000;
  change.bytes.edge = 10'000'000;
  change.bytes.peers = 20'000'000;
  change.bytes.reused = 10'000'000;
  change.edge_bytes_per_s = 2'000'000;
  change.peers_bytes_per_s = 3'000'000;
  change.eta_s = 42;
  change.seconds = 8.25;
  return change;
}

TEST(Progress, BarShowsRateTimeAndSources) {
  EXPECT_EQ(bar_line(fetching(), 200),
            "update game 2.0  fetch     [############............]   50%  5.0 MB/s  ETA 0:42  "
            "edge 25% peers 50% reused 25%");
}

TEST(Progress, BarFitsTheTerminal) {
  auto change = fetching();
  change.product = std::string(300, 'x');
  EXPECT_THAT(bar_line(change, 300), HasSubstr("50%"));
  for (std::size_t columns : {0u, 1u, 40u, 79u})
    EXPECT_LE(bar_line(change, columns).size(), columns);
}

TEST(Progress, PlainLineSaysTheSameInWords) {
  EXPECT_EQ(plain_line(fetching()),
            "update game 2.0: fetch 50%, 32.0 MB of 64.0 MB, 5.0 MB/s, ETA 0:42, edge 10.0 MB, "
            "peers 20.0 MB, reused 10.0 MB");
}

TEST(Progress, ADeltaIsFetchedLikeTheRest) {
  auto change = fetching();
  change.tasks = {{protocol::TaskKind::delta, protocol::TaskState::running, 5, 10},
                  {protocol::TaskKind::stage, protocol::TaskState::pending, 0, 0},
                  {protocol::TaskKind::fetch, protocol::TaskState::pending, 0, 0}};
  EXPECT_THAT(bar_line(change, 200), HasSubstr("delta     [############............]   50%"));
  EXPECT_THAT(plain_line(change), HasSubstr("delta 50%, 32.0 MB of 64.0 MB, 5.0 MB/s"));
  change.tasks[0] = {protocol::TaskKind::delta, protocol::TaskState::done, 10, 10};
  change.tasks[1].state = protocol::TaskState::running;
  change.bytes.fetched = change.bytes.total;
  EXPECT_THAT(bar_line(change, 200), HasSubstr("stage     [########################]  100%"));
}

TEST(Progress, TheEndSaysWhatADeltaMade) {
  auto change = fetching();
  change.state = ChangeState::done;
  EXPECT_THAT(final_line(change, Cause::in_the_line), Not(HasSubstr("delta")));
  change.bytes.delta = 250'000'000;
  EXPECT_THAT(final_line(change, Cause::in_the_line),
              HasSubstr("10.0 MB reused, 250 MB made by a delta, "));
}

TEST(Progress, APlanSaysTheWayOfEachComponent) {
  protocol::Plan plan;
  plan.kind = protocol::ChangeKind::update;
  plan.product = "game";
  plan.version = "2.0";
  plan.components = {
      {"base", protocol::Way::recipes, "the parts that differ: 1.0 MB from the edge", 0, 0, 0, 0}};
  EXPECT_THAT(show(plan), HasSubstr("  base: the parts that differ: 1.0 MB from the edge\n"));
  EXPECT_THAT(show(plan), Not(HasSubstr("make by delta")));
  plan.delta_bytes = 5'000'000;
  EXPECT_THAT(show(plan), HasSubstr("make by delta"));
}

TEST(Progress, ADeltaThatWasNotUsedIsTold) {
  auto change = fetching();
  change.notes = {{"", "delta_not_used: it was damaged"}};
  change.notes_total = 1;
  EXPECT_EQ(show_notes(change), "  a delta was not used: it was damaged\n");
}

TEST(Progress, AChangeThatFetchesNothingNamesNoSources) {
  protocol::Change change;
  change.kind = protocol::ChangeKind::verify;
  change.state = ChangeState::running;
  change.product = "game";
  change.tasks = {{protocol::TaskKind::verify, protocol::TaskState::running, 1, 2}};
  EXPECT_EQ(plain_line(change), "verify game: verify 50%");
}

TEST(Progress, WaitingSaysForWhat) {
  auto change = fetching();
  change.state = ChangeState::waiting;
  change.waiting_for = "a mirror or a peer";
  EXPECT_THAT(bar_line(change, 200), HasSubstr("waiting: a mirror or a peer"));
  EXPECT_THAT(plain_line(change), HasSubstr("waiting: a mirror or a peer"));
  EXPECT_THAT(bar_line(change, 200), Not(HasSubstr("ETA")));
}

TEST(Progress, FinalLineCountsBytesBySource) {
  auto change = fetching();
  change.state = ChangeState::done;
  change.bytes.written = 54'000'000;
  EXPECT_EQ(final_line(change),
            "update game 2.0: done in 8.2 s (10.0 MB from the edge, 20.0 MB from peers, 10.0 MB "
            "reused, 54.0 MB written)");
  change.state = ChangeState::failed;
  change.error = Error{ErrorKind::disk_full, "no space left", ""};
  EXPECT_THAT(final_line(change), HasSubstr("failed in 8.2 s: no space left"));
  EXPECT_THAT(final_line(change, Cause::follows), Not(HasSubstr("no space")));
}

TEST(Progress, NothingToDoIsSaidSo) {
  auto change = fetching();
  change.state = ChangeState::done;
  change.notes = {{"", "nothing_to_do"}};
  EXPECT_EQ(final_line(change), "update game 2.0: nothing to do");
}

TEST(Progress, TheBarStaysFullOnceAllIsFetched) {
  auto change = fetching();
  change.tasks.back().state = protocol::TaskState::done;
  change.tasks.push_back({protocol::TaskKind::commit, protocol::TaskState::running, 0, 0});
  EXPECT_DOUBLE_EQ(fraction_done(change), 1);
  EXPECT_THAT(bar_line(change, 200), HasSubstr("commit    [########################]  100%"));
  for (const auto& line : {bar_line(change, 200), plain_line(change)}) {
    EXPECT_THAT(line, Not(HasSubstr("/s"))) << "nothing is fetched any more";
    EXPECT_THAT(line, Not(HasSubstr("ETA")));
  }
}

TEST(Progress, AStepThatCountsNothingShowsNoPercentage) {
  protocol::Change change;
  change.state = ChangeState::running;
  change.product = "game";
  change.tasks = {{protocol::TaskKind::metadata, protocol::TaskState::running, 0, 0}};
  EXPECT_EQ(plain_line(change), "install game: metadata");
}

TEST(Progress, FractionFollowsTheRunningTask) {
  auto change = fetching();
  change.tasks.back() = {protocol::TaskKind::verify, protocol::TaskState::running, 3, 4};
  EXPECT_DOUBLE_EQ(fraction_done(change), 0.75);
  EXPECT_EQ(activity(change), "verify");
  change.tasks.back().done_bytes = 9;  // more than all
  EXPECT_DOUBLE_EQ(fraction_done(change), 1);
  change.tasks.clear();
  change.bytes = {};
  EXPECT_DOUBLE_EQ(fraction_done(change), 0);
  change.state = ChangeState::done;
  EXPECT_DOUBLE_EQ(fraction_done(change), 1);
}

TEST(Progress, EscapeSequencesInNamesAreHarmless) {
  auto change = fetching();
  change.product = change.version = change.waiting_for = "\x1b]0;owned\x07";
  change.error = Error{ErrorKind::network, "\x1b[31m", ""};
  for (auto state : {ChangeState::running, ChangeState::waiting, ChangeState::failed}) {
    change.state = state;
    for (const auto& line : {bar_line(change, 500), plain_line(change), final_line(change)})
      EXPECT_EQ(line.find_first_of("\x1b\x07"), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace shoal::cli
