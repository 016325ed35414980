// Repositories as the agent reads them: damaged products, failing mirrors, and how little is asked.
#include <algorithm>
#include <array>

#include "trust/signing.hpp"
#include "unit/agent/world.hpp"

namespace shoal::agent {
namespace {

using test::Machine;
using test::Publisher;
using test::random_text;
using test::TempDir;

constexpr const char* kMirror = "http://mirror.example";

content::RepositoryInfo with_mirror() {
  content::RepositoryInfo info;
  info.mirrors = {Machine::kUrl, std::string(kMirror) + "/"};
  return info;
}

struct RepositoriesTest : testing::Test {
  Publisher publisher{with_mirror()};
  TempDir state;

  void SetUp() override { publisher.release("1", {{"data", random_text(100'000, 1)}}); }
  // Cuts off the end of the signed file of that product.
  void damage(const std::string& product, const std::string& file) const {
    for (const auto& entry :
         std::filesystem::directory_iterator(publisher.repository / "targets" / product))
      if (entry.path().filename().string().ends_with(file))
        std::filesystem::resize_file(entry.path(), 10);
  }
  // The next version of a product's role, by its own key, and what lists it.
  void sign_targets_again(const std::string& product,
                          const std::function<void(trust::Targets&)>& change) {
    const trust::Limits limits;
    const auto metadata = publisher.repository / "metadata";
    auto read = [&](const std::string& name) {
      return read_file(metadata / name, limits.targets_bytes).value();
    };
    auto signed_by = [&](publish::KeyRole role) {
      return std::array{publisher.keys.load(role).value()};
    };
    auto timestamp = trust::parse_timestamp(read("timestamp.json"), limits).value().body;
    auto snapshot = trust::parse_snapshot(
                        read(fmt::format("{}.snapshot.json", timestamp.snapshot.version)), limits)
                        .value()
                        .body;
    const auto name = [&](std::uint64_t version) {
      return fmt::format("{}.{}.json", version, product);
    };
    auto targets =
        trust::parse_targets(read(name(snapshot.meta.at(product).version)), product, limits)
            .value()
            .body;
    change(targets);
    ++targets.version;
    auto bytes = trust::sign_targets(targets, signed_by(publish::KeyRole::products));
    ASSERT_TRUE(write_file_atomic(metadata / name(targets.version), bytes));
    snapshot.meta[product] = trust::describe_metadata(bytes, targets.version);
    ++snapshot.version;
    bytes = trust::sign_snapshot(snapshot, signed_by(publish::KeyRole::snapshot));
    ASSERT_TRUE(
        write_file_atomic(metadata / fmt::format("{}.snapshot.json", snapshot.version), bytes));
    timestamp.snapshot = trust::describe_metadata(bytes, snapshot.version);
    ++timestamp.version;
    ASSERT_TRUE(write_file_atomic(
        metadata / "timestamp.json",
        trust::sign_timestamp(timestamp, signed_by(publish::KeyRole::timestamp))));
  }
};

TEST_F(RepositoriesTest, ADamagedProductIsToldAndTheOthersCanBeUsed) {
  publisher.release("1", {{"data", random_text(100'000, 2)}}, "other");
  damage("other", "channels.json");
  Machine machine(publisher, state);
  auto added = machine.try_to_add_repository(publisher);
  ASSERT_TRUE(added) << added.error().describe();
  ASSERT_EQ(added->problems.size(), 1U);
  EXPECT_EQ(added->problems[0].product, "other");
  EXPECT_EQ(added->problems[0].error.kind, ErrorKind::verification_failed);
  EXPECT_EQ(machine.agent->repositories().at(0).problems.size(), 1U);
  EXPECT_EQ(machine.run(ChangeKind::install).state, ChangeState::done);
}

// A team whose key was stolen, or that slipped: its own list is told of, and nothing of it is
// fetched.
TEST_F(RepositoriesTest, AListOfAbsurdSizeIsNotFetchedAndTheOtherProductsAreRead) {
  publisher.release("1", {{"data", random_text(100'000, 2)}}, "other");
  sign_targets_again("other", [](trust::Targets& targets) {
    targets.targets.at("other/channels.json").length = 200 << 20;
  });
  Machine machine(publisher, state);
  auto added = machine.try_to_add_repository(publisher);
  ASSERT_TRUE(added) << added.error().describe();
  ASSERT_EQ(added->problems.size(), 1U);
  EXPECT_EQ(added->problems[0].product, "other");
  EXPECT_EQ(added->problems[0].error.kind, ErrorKind::too_large);
  for (const auto& request : machine.web.take_requests())
    EXPECT_FALSE(request.find("other/") != std::string::npos) << request;
  EXPECT_EQ(machine.run(ChangeKind::install).state, ChangeState::done);
}

TEST_F(RepositoriesTest, AProblemIsGoneOnceTheProductIsWellAgain) {
  publisher.release("1", {{"data", random_text(100'000, 2)}}, "other");
  auto folder = publisher.repository / "targets" / "other";
  TempDir aside;
  std::filesystem::copy(folder, aside / "other", std::filesystem::copy_options::recursive);
  damage("other", "channels.json");
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  std::filesystem::copy(
      aside / "other", folder,
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  ASSERT_TRUE(machine.products());
  EXPECT_TRUE(machine.agent->repositories().at(0).problems.empty());
}

TEST_F(RepositoriesTest, ARefreshWithNothingNewIsOneRequestAlsoAfterARestart) {
  {
    Machine machine(publisher, state);
    machine.add_repository(publisher);
    machine.web.take_requests();
    ASSERT_TRUE(machine.products());
    auto requests = machine.web.take_requests();
    EXPECT_LE(requests.size(), 2U);  // the agent's own refresh may be among them
    for (const auto& request : requests)
      EXPECT_EQ(request, std::string(Machine::kUrl) + " metadata/timestamp.json");
  }
  Machine machine(publisher, state);
  auto products = machine.products();
  ASSERT_TRUE(products);
  EXPECT_EQ(products->at(0).product, "game");
  for (const auto& request : machine.web.take_requests())
    EXPECT_TRUE(request.ends_with("timestamp.json")) << request;
}

// So often that whatever can be remembered is.
void ask_until_all_is_known(Machine& machine) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine.products());
}

std::filesystem::path kept_folder(const TempDir& state) { return state / "state/repositories/1"; }

TEST_F(RepositoriesTest, WithNothingNewNoProductIsReadAgain) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  ask_until_all_is_known(machine);
  std::filesystem::remove_all(kept_folder(state) / "targets/game%2Fchannels.json");
  machine.web.take_requests();
  auto products = machine.products();
  ASSERT_TRUE(products);
  EXPECT_EQ(products->at(0).channels.at("stable"), "1");
  for (const auto& request : machine.web.take_requests())
    EXPECT_TRUE(request.ends_with("timestamp.json")) << request;
}

TEST_F(RepositoriesTest, WhatIsKnownIsForgottenWhenSomethingIsNew) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  for (std::string version : {"2", "3"}) {
    ask_until_all_is_known(machine);
    publisher.release(version, {{"data", random_text(100'000, 3)}});
    if (version == "3") {
      EXPECT_EQ(machine.run(ChangeKind::install).version, version);  // sees it first
    }
    auto products = machine.products();
    ASSERT_TRUE(products);
    EXPECT_EQ(products->at(0).channels.at("stable"), version);
  }
}

TEST_F(RepositoriesTest, AProductThatExpiresMeanwhileIsTold) {
  publisher.environment.lifetimes.targets = std::chrono::days(3);
  publisher.release("1", {{"data", random_text(100'000, 2)}}, "short");
  publisher.environment.lifetimes = {};
  publisher.release("1", {{"data", random_text(100'000, 3)}}, "long");  // the top level, too
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  ask_until_all_is_known(machine);
  EXPECT_TRUE(machine.agent->repositories().at(0).problems.empty());
  machine.clock.shift = std::chrono::days(4);
  ASSERT_TRUE(machine.products());
  auto problems = machine.agent->repositories().at(0).problems;
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].product, "short");
  EXPECT_EQ(problems[0].error.kind, ErrorKind::metadata_expired);
}

TEST_F(RepositoriesTest, ANewVersionIsSeenAndOnlyWhatChangedIsFetched) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  publisher.release("2", {{"data", random_text(100'000, 3)}});
  machine.web.take_requests();
  auto products = machine.products();
  ASSERT_TRUE(products);
  EXPECT_EQ(products->at(0).channels.at("stable"), "2");
  for (const auto& request : machine.web.take_requests())
    EXPECT_FALSE(request.ends_with("repository.json")) << request;
}

TEST_F(RepositoriesTest, TheNextMirrorGivesTheMetadataThatTheFirstDoesNot) {
  for (const char* fault : {"down", "lies"}) {
    SCOPED_TRACE(fault);
    TempDir own;
    Machine machine(publisher, own);
    machine.add_repository(publisher);
    machine.web.set_fault(Machine::kUrl, fault);
    publisher.release(std::string("2-") + fault, {{"data", random_text(100'000, 4)}});
    auto change = machine.run(ChangeKind::install);
    EXPECT_EQ(change.state, ChangeState::done)
        << (change.error ? change.error->describe() : std::string());
    EXPECT_EQ(change.version, std::string("2-") + fault);
  }
}

TEST_F(RepositoriesTest, AMirrorThatDoesNotAnswerIsAskedOnceAndNotInEachCycle) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.web.set_fault(Machine::kUrl, "down");
  ASSERT_TRUE(machine.products());
  machine.web.take_requests();
  ASSERT_TRUE(machine.products());
  for (const auto& request : machine.web.take_requests())
    EXPECT_TRUE(request.starts_with(kMirror)) << request;
  machine.web.set_fault(Machine::kUrl, "");
  machine.web.set_fault(kMirror, "down");
  EXPECT_TRUE(machine.products());
}

TEST_F(RepositoriesTest, TheAdministratorsAddressIsAskedFirstAgainAfterAnHour) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.web.set_fault(Machine::kUrl, "down");
  ask_until_all_is_known(machine);
  machine.web.set_fault(Machine::kUrl, "");
  auto first_asked = [&] {
    machine.web.take_requests();
    EXPECT_TRUE(machine.products());
    return machine.web.take_requests().at(0);
  };
  EXPECT_TRUE(first_asked().starts_with(kMirror));
  machine.clock.shift = std::chrono::hours(1);
  EXPECT_TRUE(first_asked().starts_with(Machine::kUrl));
  EXPECT_TRUE(first_asked().starts_with(Machine::kUrl));
}

TEST_F(RepositoriesTest, HoweverManyAskOneRefreshRunsAndOneWaits) {
  constexpr int kAsking = 20;
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  ask_until_all_is_known(machine);
  machine.web.take_requests();
  machine.web.hold(true);
  std::vector<std::string> first, later;  // what those who asked were told
  auto ask = [&](std::vector<std::string>& told) {
    for (int i = 0; i < kAsking; ++i)
      machine.agent->products([&](const auto& products) {
        told.push_back(products ? products->at(0).channels.at("stable") : "");
      });
  };
  ask(first);
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return machine.web.requests_made() > 0; }));
  publisher.release("2", {{"data", random_text(100'000, 5)}});
  ask(later);
  EXPECT_EQ(machine.web.requests_made(), 1U);
  machine.web.hold(false);
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return later.size() == kAsking; }));
  EXPECT_EQ(first.size(), static_cast<std::size_t>(kAsking));
  EXPECT_EQ(std::ranges::count(later, "2"), kAsking) << "who asks later sees what is there then";
  auto timestamps = std::ranges::count_if(machine.web.take_requests(), [](const auto& request) {
    return request.ends_with("timestamp.json");
  });
  EXPECT_LE(timestamps, 3);  // the agent's own refresh may be among them
}

TEST_F(RepositoriesTest, ACycleOfARepositoryThatWasRemovedKeepsNothingMore) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  ask_until_all_is_known(machine);
  publisher.release("2", {{"data", random_text(100'000, 5)}});
  machine.web.take_requests();
  machine.web.hold(true);
  std::optional<Result<std::vector<ProductView>>> running, waiting;
  machine.agent->products([&](auto products) { running = std::move(products); });
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return machine.web.requests_made() > 0; }));
  machine.agent->products([&](auto products) { waiting = std::move(products); });
  ASSERT_TRUE(machine.agent->remove_repository(1));
  EXPECT_TRUE(waiting && *waiting) << "nobody waits for a refresh that will not be";
  EXPECT_FALSE(std::filesystem::exists(kept_folder(state)));
  machine.web.hold(false);
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return running.has_value(); }));
  EXPECT_TRUE(*running) << "it was removed: that is no error";
  EXPECT_FALSE(std::filesystem::exists(kept_folder(state)));
  EXPECT_TRUE(machine.agent->repositories().empty());
  machine.add_repository(publisher);
  EXPECT_EQ(machine.agent->repositories().at(0).id, 2) << "what is known under 1 is not of it";
  EXPECT_EQ(machine.products()->at(0).channels.at("stable"), "2");
}

// Of a repository that nobody can read since the daemon started it is not known what it has:
// another one, which may be why, must not step into its place.
TEST_F(RepositoriesTest, AProductIsNotTakenFromAnotherRepositoryWhileOneIsUnread) {
  Publisher plain;
  plain.release("1", {{"data", random_text(100'000, 1)}});
  const std::string other = "http://other.example";
  {
    Machine machine(plain, state);
    machine.add_repository(plain);
    ASSERT_TRUE(machine.try_to_add_repository(plain, other));
    auto ambiguous = machine.agent->start(Machine::request(ChangeKind::install));
    ASSERT_FALSE(ambiguous);
    EXPECT_EQ(ambiguous.error().message, "2 repositories have 'game'");
  }
  Machine machine(plain, state);
  machine.web.set_fault(Machine::kUrl, "down");
  ASSERT_TRUE(machine.products());
  auto request = Machine::request(ChangeKind::install);
  auto refused = machine.agent->start(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::source_unavailable);
  EXPECT_NE(refused.error().message.find(Machine::kUrl), std::string::npos);
  request.repository = 2;
  auto started = machine.agent->start(request);
  ASSERT_TRUE(started) << started.error().describe();
  ASSERT_TRUE(machine.reaches(started->id, agent::ChangeState::done));
  request.repository = 1;
  auto elsewhere = machine.agent->start(request);
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().kind, ErrorKind::conflict);
}

TEST_F(RepositoriesTest, AKeptFileThatWasDamagedIsFetchedAgain) {
  Machine(publisher, state).add_repository(publisher);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(state.path()))
    if (entry.path().string().ends_with("channels.json"))
      std::filesystem::resize_file(entry.path(), 5);
  Machine machine(publisher, state);  // what a daemon has read once it does not read again
  auto products = machine.products();
  ASSERT_TRUE(products);
  EXPECT_EQ(products->size(), 1U);
  EXPECT_TRUE(std::ranges::any_of(machine.web.take_requests(), [](const auto& request) {
    return request.ends_with("channels.json");
  }));
}

TEST_F(RepositoriesTest, AMirrorWithoutEndIsForThePublisherToMend) {
  Machine machine(publisher, state);
  machine.web.set_fault(Machine::kUrl, "endless");
  auto added = machine.try_to_add_repository(publisher);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().kind, ErrorKind::too_large);
  EXPECT_NE(added.error().remedy.find("publisher"), std::string::npos) << added.error().remedy;
}

TEST_F(RepositoriesTest, AnUnreachableRepositoryKeepsWhatWasKnownOfIt) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.web.down = true;
  EXPECT_TRUE(machine.products());
  auto view = machine.agent->repositories().at(0);
  ASSERT_TRUE(view.last_error);
  EXPECT_EQ(view.last_error->kind, ErrorKind::network);
  EXPECT_TRUE(view.problems.empty());
}

TEST_F(RepositoriesTest, AMirrorThatIsDroppedIsToldWhileTheChangeRuns) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.edge.hold = true;
  auto id = machine.agent->start(Machine::request(ChangeKind::install))->id;
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return !machine.edge.busy().empty(); }));
  int told = 0;
  machine.agent->set_listener(
      [&](const Event& event) { told += event.resource == "repository" ? 1 : 0; });
  // The agent's own refresh; the next one is an hour away.
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return told > 0; }));
  told = 0;
  transfer::MirrorStatus dropped;
  dropped.repository = 1;
  dropped.url = kMirror;
  dropped.dropped = true;
  machine.edge.mirror_statuses = {dropped};
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return told > 0; }));
  EXPECT_EQ(machine.view(id).state, ChangeState::running);
  auto mirrors = machine.agent->repositories().at(0).mirrors;
  auto liar = std::ranges::find(mirrors, kMirror, &transfer::MirrorStatus::url);
  ASSERT_NE(liar, mirrors.end());
  EXPECT_TRUE(liar->dropped);
  machine.edge.release();
  EXPECT_TRUE(machine.reaches(id, ChangeState::done));
}

}  // namespace
}  // namespace shoal::agent
