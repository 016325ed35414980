// What the program shows, asks and refuses, as a process.
#include "program.hpp"

#include <gmock/gmock.h>

#include "protocol/codec.hpp"

namespace shoal {
namespace {

using test::ApiHarness;
using test::Process;
using testing::HasSubstr;
using testing::IsEmpty;

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
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"instal", "game", "--json"},
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
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"repo", "list"}, {"status"}}) {
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
