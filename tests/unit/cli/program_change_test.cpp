// Changes that the program starts and follows, as a process.
#include <gmock/gmock.h>

#include "program.hpp"
#include "protocol/codec.hpp"

namespace shoal {
namespace {

using test::ApiHarness;
using test::Process;
using test::Terminal;
using test::with_change;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(Program, InstallFollowsTheChangeToItsEnd) {
  ApiHarness harness;
  Process process(harness, {"install", "game"});
  with_change(harness, [](auto& change) {
    change.state = agent::ChangeState::done;
    change.bytes.edge = 5'000'000;
    change.bytes.peers = 7'000'000;
    change.seconds = 1.5;
  });
  EXPECT_EQ(process.wait(), 0);
  EXPECT_THAT(process.out(), HasSubstr("install game: done in 1.5 s (5.0 MB from the edge, 7.0 MB "
                                       "from peers, 0 B reused, 0 B written)"));
  EXPECT_THAT(process.out(), Not(HasSubstr("\x1b")));
  EXPECT_THAT(process.err(), IsEmpty());
}

TEST(Program, JsonPrintsTheChangeAndNothingElse) {
  ApiHarness harness;
  Process process(harness, {"--json", "install", "game"});
  with_change(harness, [](auto& change) { change.state = agent::ChangeState::done; });
  EXPECT_EQ(process.wait(), 0);
  auto change = protocol::decode<protocol::Change>(process.out(), protocol::UnknownFields::refuse);
  ASSERT_TRUE(change) << process.out();
  EXPECT_EQ(change->state, protocol::ChangeState::done);
}

TEST(Program, DamageFoundByVerifyIsListedAndExitsNine) {
  ApiHarness harness;
  Process process(harness, {"verify", "game"});
  with_change(harness, [](auto& change) {
    change.state = agent::ChangeState::failed;
    change.error = Error{ErrorKind::verification_failed, "30 files are damaged", ""};
    for (int i = 0; i < 30; ++i) change.notes.push_back({"f" + std::to_string(i), "wrong_bytes"});
    change.notes.push_back({"evil\x1b[2J", "missing"});
  });
  EXPECT_EQ(process.wait(), 9);
  EXPECT_THAT(process.out(), HasSubstr("  f29: wrong bytes\n")) << "all, not the event's first";
  EXPECT_THAT(process.out(), HasSubstr("  evil?[2J: missing\n"));
  EXPECT_THAT(process.err(), HasSubstr("30 files are damaged"));
}

TEST(Program, TerminalShowsABarThatIsRedrawnInPlace) {
  ApiHarness harness;
  Terminal terminal;
  Process process(harness.socket().string(), {"install", "game"}, terminal.name());
  EXPECT_TRUE(terminal.read_until("install game  queued"));
  with_change(harness, [](auto& change) {
    change.state = agent::ChangeState::running;
    change.bytes.total = 100;
    change.bytes.fetched = 50;
  });
  EXPECT_TRUE(terminal.read_until("\x1b[1A\rinstall game  running   [############............]"));
  with_change(harness, [](auto& change) { change.state = agent::ChangeState::done; });
  EXPECT_TRUE(terminal.read_until("install game: done in 0.0 s"));
  EXPECT_EQ(process.wait(), 0);
}

TEST(Program, NoWaitReturnsTheChange) {
  ApiHarness harness;
  Process process(harness, {"update", "game", "--no-wait"});
  EXPECT_EQ(process.wait(), 0);
  EXPECT_THAT(process.out(), HasSubstr("Started change c1"));
}

TEST(Program, InterruptLeavesTheChangeRunningAndExits130) {
  ApiHarness harness;
  Process process(harness, {"install", "game"});
  ASSERT_TRUE(harness.wait_until([&] { return !harness.service().change_list.empty(); }));
  // It follows by now, once it has shown the change.
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (process.out().empty() && std::chrono::steady_clock::now() < deadline) {
  }
  process.interrupt();
  EXPECT_EQ(process.wait(), 130);
  EXPECT_THAT(process.err(), HasSubstr("shoal cancel c1"));
  EXPECT_TRUE(harness.service().steered.empty());
}

TEST(Program, ADaemonThatGoesAwayIsWaitedForAndThatIsSaid) {
  ApiHarness harness;
  test::TempDir folder;
  auto output = folder.write("out", "");
  Process process(harness.socket().string(), {"install", "game"}, output.string());
  ASSERT_TRUE(harness.wait_until([&] { return !harness.service().change_list.empty(); }));
  auto says = [&](std::string_view words) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (test::read_text(output).find(words) == std::string::npos)
      if (std::chrono::steady_clock::now() > deadline) return false;
    return true;
  };
  ASSERT_TRUE(says("queued"));
  harness.stop();
  EXPECT_TRUE(says("the daemon has gone away"));
  harness.start();
  EXPECT_TRUE(says("the daemon is back"));
  with_change(harness, [](auto& change) { change.state = agent::ChangeState::done; });
  EXPECT_EQ(process.wait(), 0);
}

TEST(Program, AChangeIsSteeredByItsProductToo) {
  ApiHarness harness;
  harness.service().add_change("7", agent::ChangeState::running);
  agent::InstallView game;
  game.product = "game";
  game.current_change = "7";
  harness.service().install_views = {game};
  for (auto [verb, said] : {std::pair{"pause", "install game: paused\n"},
                            {"resume", "install game: running\n"},
                            {"cancel", "install game: cancelled\n"}}) {
    Process process(harness, {verb, "game"});
    EXPECT_EQ(process.wait(), 0) << process.err();
    EXPECT_EQ(process.out(), said);
  }
  EXPECT_EQ(harness.on_loop([&] { return harness.service().steered; }),
            (std::vector<std::string>{"pause 7", "resume 7", "cancel 7"}));
  Process unknown(harness, {"pause", "other"});
  EXPECT_EQ(unknown.wait(), 5);
}

TEST(Program, FollowsByAskingWhenStreamsAreRefused) {
  api::ApiOptions options;
  options.max_streams_per_user = 0;
  ApiHarness harness(options);
  Process process(harness, {"install", "game"});
  with_change(harness, [](auto& change) { change.state = agent::ChangeState::done; });
  EXPECT_EQ(process.wait(), 0);
}

TEST(Program, UpdateWithoutProductUpdatesWhatHasANewerVersion) {
  ApiHarness harness;
  agent::InstallView old, current;
  old.product = "old";
  old.version = "1";
  old.available_version = "2";
  current.product = "current";
  current.version = current.available_version = "2";
  harness.service().install_views = {old, current};
  Process process(harness, {"update", "--no-wait", "--json"});
  EXPECT_EQ(process.wait(), 0);
  auto seen = harness.on_loop([&] { return harness.service().started; });
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].product, "old");
  EXPECT_EQ(seen[0].kind, agent::ChangeKind::update);
  EXPECT_TRUE(protocol::decode<protocol::Changes>(process.out(), protocol::UnknownFields::refuse));
  harness.on_loop([&] { harness.service().install_views = {current}; });
  Process nothing(harness, {"update"});
  EXPECT_EQ(nothing.wait(), 0);
  EXPECT_EQ(nothing.out(), "Everything is up to date.\n");
  harness.on_loop([&] { harness.service().install_views.clear(); });
  Process empty(harness, {"update"});
  EXPECT_EQ(empty.wait(), 0);
  EXPECT_EQ(empty.out(), "Nothing is installed.\n");
}

TEST(Program, UpdatesThatCannotBeStartedAreInTheOneDocument) {
  ApiHarness harness;
  for (const char* product : {"a", "b"}) {
    agent::InstallView old;
    old.product = product;
    old.version = "1";
    old.available_version = "2";
    harness.service().install_views.push_back(old);
  }
  harness.service().refuse = Error{ErrorKind::conflict, "busy", {}};
  Process process(harness, {"update", "--json"});
  EXPECT_EQ(process.wait(), 6);
  auto changes =
      protocol::decode<protocol::Changes>(process.out(), protocol::UnknownFields::refuse);
  ASSERT_TRUE(changes) << process.out();
  ASSERT_EQ(changes->changes.size(), 2u);
  EXPECT_EQ(changes->changes[1].product, "b");
  ASSERT_TRUE(changes->changes[1].error);
  EXPECT_EQ(changes->changes[1].error->kind, ErrorKind::conflict);
  Process text(harness, {"update"});
  EXPECT_EQ(text.wait(), 6);
  EXPECT_THAT(text.err(), AllOf(HasSubstr("a: busy"), HasSubstr("b: busy")));
}

TEST(Program, WhatIsKnownOfAnUnreachableRepositoryIsNotCalledUpToDate) {
  ApiHarness harness;
  agent::RepositoryView unreachable;
  unreachable.id = 1;
  unreachable.last_error = Error{ErrorKind::network, "GET http://x/: refused", {}};
  agent::InstallView game;
  game.product = "game";
  game.version = game.available_version = "1";
  harness.service().repository_views = {unreachable};
  harness.service().install_views = {game};
  harness.service().product_views = {{"game", 1, {{"stable", "1"}}, {"1"}}};
  Process update(harness, {"update"});
  EXPECT_EQ(update.wait(), 7);
  EXPECT_THAT(update.out(), IsEmpty());
  EXPECT_THAT(update.err(), HasSubstr("repository 1: GET http://x/: refused"));
  Process products(harness, {"products"});
  EXPECT_EQ(products.wait(), 7);
  EXPECT_THAT(products.out(), HasSubstr("stable=1"));
  EXPECT_THAT(products.err(), HasSubstr("refused"));
}

}  // namespace
}  // namespace shoal
