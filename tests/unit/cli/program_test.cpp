// The program itself, as a process, against the real API with a fake agent behind it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
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
  Process(const std::string& socket, std::vector<std::string> words) {
    words.insert(words.begin(), {SHOAL_PROGRAM, "--socket", socket});
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    int flags = O_CREAT | O_WRONLY | O_TRUNC;
    posix_spawn_file_actions_addopen(&actions, 1, (folder_ / "out").c_str(), flags, 0600);
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

// Waits for the change to be there, then lets it end.
void end_change(ApiHarness& harness, const std::function<void(agent::Change&)>& how) {
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
  end_change(harness, [](auto& change) {
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
  end_change(harness, [](auto& change) { change.state = agent::ChangeState::done; });
  EXPECT_EQ(process.wait(), 0);
  auto change = protocol::decode<protocol::Change>(process.out(), protocol::UnknownFields::refuse);
  ASSERT_TRUE(change) << process.out();
  EXPECT_EQ(change->state, protocol::ChangeState::done);
}

TEST(Program, DamageFoundByVerifyIsListedAndExitsNine) {
  ApiHarness harness;
  Process process(harness, {"verify", "game"});
  end_change(harness, [](auto& change) {
    change.state = agent::ChangeState::failed;
    change.error = Error{ErrorKind::verification_failed, "30 files are damaged", ""};
    for (int i = 0; i < 30; ++i) change.notes.push_back({"f" + std::to_string(i), "wrong_bytes"});
    change.notes.push_back({"evil\x1b[2J", "missing"});
  });
  EXPECT_EQ(process.wait(), 9);
  EXPECT_THAT(process.out(), HasSubstr("  f29: wrong_bytes\n")) << "all, not the event's first";
  EXPECT_THAT(process.out(), HasSubstr("  evil?[2J: missing\n"));
  EXPECT_THAT(process.err(), HasSubstr("30 files are damaged"));
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

TEST(Program, FollowsByAskingWhenStreamsAreRefused) {
  api::ApiOptions options;
  options.max_streams_per_user = 0;
  ApiHarness harness(options);
  Process process(harness, {"install", "game"});
  end_change(harness, [](auto& change) { change.state = agent::ChangeState::done; });
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

TEST(Program, RepositoriesAreAddedFromARootFile) {
  ApiHarness harness;
  test::TempDir folder;
  auto root = folder.write("root.json", "the root").string();
  Process added(harness, {"repo", "add", "https://cdn.example/", "--root", root});
  EXPECT_EQ(added.wait(), 0) << added.err();
  Process listed(harness, {"repo", "list"});
  EXPECT_EQ(listed.wait(), 0);
  EXPECT_THAT(listed.out(), HasSubstr("https://cdn.example/"));
  Process removed(harness, {"repo", "remove", "1"});
  EXPECT_EQ(removed.wait(), 0);
  Process missing(harness, {"repo", "add", "https://x/", "--root", (folder / "none").string()});
  EXPECT_EQ(missing.wait(), 5);
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
