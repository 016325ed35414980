// The program itself, as a process, against the real API with a fake agent behind it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "protocol/codec.hpp"
#include "unit/api/api_harness.hpp"

namespace shoal {
namespace {

using test::ApiHarness;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A run of the program, its output in files.
class Process {
 public:
  Process(const ApiHarness& harness, std::vector<std::string> words)
      : Process(harness.socket().string(), std::move(words)) {}
  // output: a file or a terminal; "" for a file of its own.
  Process(const std::string& socket, std::vector<std::string> words, std::string output = {}) {
    if (output.empty()) output = (folder_ / "out").string();
    words.insert(words.begin(), {SHOAL_PROGRAM, "--socket", socket});
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    int flags = O_CREAT | O_WRONLY | O_TRUNC;
    posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), flags, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, (folder_ / "err").c_str(), flags, 0600);
    EXPECT_EQ(::posix_spawn(&pid_, SHOAL_PROGRAM, &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

  void interrupt() const { ::kill(pid_, SIGINT); }
  // The exit code; -1 when a signal ended it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string out() const { return test::read_text(folder_ / "out"); }
  std::string err() const { return test::read_text(folder_ / "err"); }

 private:
  test::TempDir folder_;
  ::pid_t pid_ = -1;
};

// The other end of a terminal that the program writes to.
class Terminal {
 public:
  Terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    EXPECT_EQ(::grantpt(master_.get()), 0);
    EXPECT_EQ(::unlockpt(master_.get()), 0);
  }
  std::string name() const { return ::ptsname(master_.get()); }
  // Reads until the text has come; false when it does not within ten seconds.
  bool read_until(std::string_view text) {
    while (shown_.find(text) == std::string::npos) {
      ::pollfd polled{master_.get(), POLLIN, 0};
      char buffer[4096];
      if (::poll(&polled, 1, 10'000) <= 0) return false;
      auto got = ::read(master_.get(), buffer, sizeof buffer);
      if (got <= 0) return false;
      shown_.append(buffer, static_cast<std::size_t>(got));
    }
    return true;
  }

 private:
  UniqueFd master_;
  std::string shown_;
};

// Waits for the change to be there, then changes it, and says so.
void with_change(ApiHarness& harness, const std::function<void(agent::Change&)>& how) {
  ASSERT_TRUE(harness.wait_until([&] { return !harness.service().change_list.empty(); }));
  harness.on_loop([&] {
    auto& change = harness.service().change_list.front();
    how(change);
    harness.service().tell("change", change.id);
  });
}

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

TEST(Program, ErrorsGoToStderrWithTheirExitCode) {
  ApiHarness harness;
  for (auto [kind, code] : {std::pair{ErrorKind::not_allowed, 4},
                            {ErrorKind::not_found, 5},
                            {ErrorKind::conflict, 6},
                            {ErrorKind::network, 7},
                            {ErrorKind::disk_full, 8},
                            {ErrorKind::signature_invalid, 9},
                            {ErrorKind::io_error, 1}}) {
    harness.on_loop(
        [&, error = kind] { harness.service().refuse = Error{error, "because", "do this"}; });
    Process process(harness, {"install", "game"});
    EXPECT_EQ(process.wait(), code) << info(kind).name;
    EXPECT_THAT(process.out(), IsEmpty());
    EXPECT_EQ(process.err(), "shoal: because\ndo this\n");
  }
}

TEST(Program, NoDaemonIsExitCodeThree) {
  test::TempDir folder;
  Process process((folder / "none.sock").string(), {"status"});
  EXPECT_EQ(process.wait(), 3);
  EXPECT_THAT(process.err(), HasSubstr("cannot reach the daemon"));
  Process json((folder / "none.sock").string(), {"status", "--json"});
  EXPECT_EQ(json.wait(), 3);
  EXPECT_EQ(protocol::decode<Error>(json.out(), protocol::UnknownFields::refuse).value().kind,
            ErrorKind::daemon_unreachable);
}

TEST(Program, BadUsageIsNamedAndAsJsonWhereThatIsAskedFor) {
  ApiHarness harness;
  Process misspelt(harness, {"instal", "game"});
  EXPECT_EQ(misspelt.wait(), 2);
  EXPECT_THAT(misspelt.err(), HasSubstr("there is no command 'instal'; did you mean 'install'?"));
  Process below(harness, {"repo", "lst"});
  EXPECT_EQ(below.wait(), 2);
  EXPECT_THAT(below.err(), HasSubstr("did you mean 'list'?"));
  Process option(harness, {"list", "--jsno"});
  EXPECT_EQ(option.wait(), 2);
  EXPECT_THAT(option.err(), HasSubstr("there is no option '--jsno'; did you mean '--json'?"));
  for (std::vector<std::string> words : {std::vector<std::string>{"instal", "game", "--json"},
                                         {"--json", "install"},
                                         {"--json", "consent", "maybe"},
                                         {"--json"}}) {
    Process json(harness, words);
    EXPECT_EQ(json.wait(), 2);
    EXPECT_THAT(json.err(), IsEmpty());
    auto error = protocol::decode<Error>(json.out(), protocol::UnknownFields::refuse);
    ASSERT_TRUE(error) << json.out();
    EXPECT_EQ(error->kind, ErrorKind::invalid_request);
  }
}

TEST(Program, RepositoriesAreAddedFromARootFile) {
  ApiHarness harness;
  test::TempDir folder;
  auto root = folder.write("root.json", "the root").string();
  Process added(harness, {"repo", "add", "https://cdn.example/", "--root", root});
  EXPECT_EQ(added.wait(), 0) << added.err();
  Process listed(harness, {"repo", "list"});
  EXPECT_EQ(listed.wait(), 0);
  EXPECT_THAT(listed.out(), HasSubstr("https://cdn.example/"));
  Process removed(harness, {"repo", "remove", "1", "--json"});
  EXPECT_EQ(removed.wait(), 0);
  EXPECT_EQ(removed.out(), "{\"resource\":\"repository\",\"id\":\"1\"}\n");
  Process missing(harness, {"repo", "add", "https://x/", "--root", (folder / "none").string()});
  EXPECT_EQ(missing.wait(), 5);
  EXPECT_THAT(missing.err(), HasSubstr("--root FILE"));
}

TEST(Program, ARepositorysDamagedProductsAreShownWithTheRemedy) {
  ApiHarness harness;
  test::TempDir folder;
  auto root = folder.write("root.json", "the root").string();
  const std::vector<agent::ProductProblem> problems = {
      {"game", {ErrorKind::verification_failed, "channels.json is damaged", "Wait a day."}}};
  harness.on_loop([&] { harness.service().new_problems = problems; });
  Process added(harness, {"repo", "add", "https://cdn.example/", "--root", root});
  EXPECT_EQ(added.wait(), 0);
  EXPECT_THAT(added.err(), HasSubstr("product 'game' cannot be used: channels.json is damaged"));
  EXPECT_THAT(added.err(), HasSubstr("Wait a day."));
  Process json(harness, {"--json", "repo", "add", "https://cdn.example/2", "--root", root});
  EXPECT_EQ(json.wait(), 0);
  EXPECT_THAT(json.err(), IsEmpty());
  auto repository =
      protocol::decode<protocol::Repository>(json.out(), protocol::UnknownFields::refuse);
  ASSERT_TRUE(repository) << json.out();
  ASSERT_EQ(repository->problems.size(), 1U);
  EXPECT_EQ(repository->problems[0].product, "game");
  for (std::vector<std::string> words : {std::vector<std::string>{"repo", "list"}, {"status"}}) {
    Process shown(harness, words);
    EXPECT_EQ(shown.wait(), 0);
    EXPECT_THAT(shown.out(), HasSubstr("channels.json is damaged"));
    EXPECT_THAT(shown.out(), HasSubstr("Wait a day."));
  }
}

TEST(Program, RepositoriesShowTheirPolicyAndWhoChoseIt) {
  ApiHarness harness;
  agent::RepositoryView view;
  view.url = "https://cdn.example";
  view.policy = transfer::Policy::thrifty;
  view.trackers = {"https://tracker.example/announce"};
  harness.service().repository_views = {view};
  Process publishers(harness, {"repo", "list"});
  EXPECT_EQ(publishers.wait(), 0);
  EXPECT_THAT(publishers.out(), HasSubstr("policy thrifty (the publisher's)"));
  EXPECT_THAT(publishers.out(), HasSubstr("tracker https://tracker.example/announce"));
  harness.on_loop([&] { harness.service().repository_views[0].policy_of_machine = true; });
  Process machines(harness, {"repo", "list"});
  EXPECT_EQ(machines.wait(), 0);
  EXPECT_THAT(machines.out(), HasSubstr("policy thrifty (this machine's choice)"));
  Process set(harness, {"config", "policy", "publisher"});
  EXPECT_EQ(set.wait(), 0);
  EXPECT_THAT(set.out(), HasSubstr("the publisher's"));
}

TEST(Program, ConsentLimitAndStatusShowWhatIs) {
  ApiHarness harness;
  Process limit(harness, {"limit", "--upload", "40Mbit"});
  EXPECT_EQ(limit.wait(), 0);
  EXPECT_THAT(limit.out(), HasSubstr("5.0 MB/s"));
  Process consent(harness, {"consent", "granted"});
  EXPECT_EQ(consent.wait(), 0);
  EXPECT_THAT(consent.out(), HasSubstr("granted"));
  Process status(harness, {"status"});
  EXPECT_EQ(status.wait(), 0);
  EXPECT_THAT(status.out(), HasSubstr("no change is running"));
}

TEST(Program, StatusAsJsonHasOnlyWhatRuns) {
  ApiHarness harness;
  harness.service().add_change("c1", agent::ChangeState::done);
  harness.service().add_change("c2", agent::ChangeState::paused);
  Process process(harness, {"status", "--json"});
  EXPECT_EQ(process.wait(), 0);
  auto status = protocol::decode<protocol::Status>(process.out(), protocol::UnknownFields::refuse);
  ASSERT_TRUE(status) << process.out();
  ASSERT_EQ(status->changes.size(), 1u);
  EXPECT_EQ(status->changes[0].id, "c2");
}

TEST(Program, WatchPrintsEventsAsJsonLinesUntilInterrupted) {
  ApiHarness harness;
  Process process(harness, {"watch", "--json"});
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (process.out().empty() && std::chrono::steady_clock::now() < deadline) {
  }
  EXPECT_EQ(process.out(), "{\"event\":\"resync\",\"data\":{}}\n");
  process.interrupt();
  EXPECT_EQ(process.wait(), 130);
}

}  // namespace
}  // namespace shoal
