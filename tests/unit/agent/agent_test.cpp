// The use cases from a request to files in a library, with the network faked and all else real.
#include <algorithm>

#include "unit/agent/world.hpp"

namespace shoal::agent {
namespace {

using test::Machine;
using test::Publisher;
using test::random_text;
using test::TempDir;
using transfer::Consent;

std::map<std::string, std::string> first_tree() {
  return {{"bin/game", random_text(700'000, 1)},
          {"data/level1.pak", random_text(900'000, 2)},
          {"data/level2.pak", random_text(300'000, 3)},
          {"readme.txt", "hello"},
          {"empty", ""}};
}

std::map<std::string, std::string> second_tree() {
  auto files = first_tree();
  files["data/moved.pak"] = files["data/level2.pak"];
  files.erase("data/level2.pak");
  files["bin/game"].replace(100'000, 10, "0123456789");
  files["new.txt"] = "new";
  return files;
}

void expect_tree(const std::filesystem::path& folder,
                 const std::map<std::string, std::string>& files) {
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    found += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(found, files.size());
  for (const auto& [path, bytes] : files) EXPECT_EQ(test::read_text(folder / path), bytes) << path;
}

struct AgentTest : testing::Test {
  Publisher publisher;
  TempDir state;
  std::filesystem::path installed = state / "library/game";

  void SetUp() override { publisher.release("1", first_tree()); }
};

TEST_F(AgentTest, InstallsFromTheEdgeAloneWithoutConsentAndNeverJoinsTheSwarm) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  auto change = machine.run(ChangeKind::install);
  EXPECT_EQ(change.state, ChangeState::done);
  EXPECT_GT(change.bytes.edge, 0U);
  EXPECT_EQ(machine.swarm.adds, 0U);
  expect_tree(installed, first_tree());
}

TEST_F(AgentTest, WithConsentEdgePiecesGoThroughTheSwarmAndTheInstallIsSeeded) {
  Machine machine(publisher, state, Consent::granted);
  machine.add_repository(publisher);
  EXPECT_EQ(machine.run(ChangeKind::install).state, ChangeState::done);
  EXPECT_GT(machine.swarm.delivered, 0U);
  ASSERT_EQ(machine.swarm.artifacts.size(), 1U);
  EXPECT_TRUE(machine.agent->installs().front().seeding);
  expect_tree(installed, first_tree());
}

TEST_F(AgentTest, ConsentWithdrawnInTheMiddleLeavesTheSwarmAndFinishesFromTheEdge) {
  Machine machine(publisher, state, Consent::granted);
  machine.add_repository(publisher);
  machine.edge.pieces_until_down = 3;
  auto id = machine.agent->start(Machine::request(ChangeKind::install))->id;
  ASSERT_TRUE(machine.reaches(id, ChangeState::waiting));
  ConfigUpdate update;
  update.consent = Consent::denied;
  ASSERT_TRUE(machine.agent->configure(update));
  EXPECT_EQ(machine.swarm.consent, Consent::denied);
  EXPECT_TRUE(machine.swarm.artifacts.empty());
  machine.edge.pieces_until_down = SIZE_MAX;
  machine.edge.down = false;
  EXPECT_TRUE(machine.reaches(id, ChangeState::done));
  EXPECT_TRUE(machine.swarm.artifacts.empty());
  expect_tree(installed, first_tree());
}

TEST_F(AgentTest, WaitsAndSaysSoWhileNobodyHasTheRest) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.edge.pieces_until_down = 2;
  auto id = machine.agent->start(Machine::request(ChangeKind::install))->id;
  ASSERT_TRUE(machine.reaches(id, ChangeState::waiting));
  EXPECT_NE(machine.view(id).waiting_for.find("the edge is down"), std::string::npos);
}

TEST_F(AgentTest, FilesAreVerifiedWhileOthersAreStillFetched) {
  Machine machine(publisher, state, Consent::granted);
  machine.add_repository(publisher);
  machine.edge.pieces_until_down = 28;  // of 31: at least one of the four files is whole
  auto id = machine.agent->start(Machine::request(ChangeKind::install))->id;
  ASSERT_TRUE(machine.reaches(id, ChangeState::waiting));
  auto store = machine.swarm.artifacts.begin()->second.description.store;
  const auto* image = dynamic_cast<install::TreeImage*>(store.get());
  ASSERT_NE(image, nullptr);
  EXPECT_TRUE(test::run_until(machine.loop, [&] {
    bool verified = false;
    for (std::uint32_t f = 0; f < first_tree().size(); ++f)
      verified |= image->file_state(FileIndex(f)).stamp.size > 0;
    return verified;
  }));
  EXPECT_EQ(machine.view(id).state, ChangeState::waiting);
  machine.edge.down = false;
  machine.edge.pieces_until_down = SIZE_MAX;
  ASSERT_TRUE(machine.reaches(id, ChangeState::done));
  expect_tree(installed, first_tree());
}

TEST_F(AgentTest, UpdateReusesWhatTheDiskHasAndRemovesWhatIsGone) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.run(ChangeKind::install);
  auto whole = machine.edge.fetched.size();
  publisher.release("2", second_tree());
  auto change = machine.run(ChangeKind::update);
  EXPECT_EQ(change.state, ChangeState::done);
  EXPECT_EQ(change.from_version, "1");
  EXPECT_EQ(change.version, "2");
  EXPECT_GT(change.bytes.reused, 1'800'000U);
  EXPECT_LT(machine.edge.fetched.size() - whole, whole / 2);
  expect_tree(installed, second_tree());
}

TEST_F(AgentTest, BlocksThatAreSharedWithFilesThatStayCountAsWrittenOnlyInPart) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  std::map<std::string, std::string> tree = {
      {"a", random_text(3'000, 1)}, {"b", random_text(5'000, 2)}, {"c", random_text(3'000, 3)}};
  publisher.release("2", tree);
  machine.run(ChangeKind::install);
  tree["b"] = random_text(5'000, 4);
  publisher.release("3", tree);
  auto change = machine.run(ChangeKind::update);
  EXPECT_EQ(change.state, ChangeState::done);
  EXPECT_EQ(change.bytes.written, 5'000U);
}

TEST_F(AgentTest, UpdateWithNothingNewIsDoneAtOnce) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.run(ChangeKind::install);
  auto fetched = machine.edge.fetched.size();
  auto change = machine.run(ChangeKind::update);
  EXPECT_EQ(change.state, ChangeState::done);
  EXPECT_EQ(machine.edge.fetched.size(), fetched);
}

TEST_F(AgentTest, RepairFetchesOnlyThePiecesOfTheDamagedFile) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.run(ChangeKind::install);
  {
    std::fstream file(installed / "data/level1.pak",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(500'000);
    file.put('!');
  }
  auto verified = machine.run(ChangeKind::verify);
  EXPECT_EQ(verified.state, ChangeState::failed);
  EXPECT_EQ(verified.error->kind, ErrorKind::verification_failed);
  ASSERT_EQ(verified.notes.size(), 1U);
  EXPECT_EQ(verified.notes[0].path, "data/level1.pak");
  auto before = machine.edge.fetched.size();
  EXPECT_EQ(machine.run(ChangeKind::repair).state, ChangeState::done);
  EXPECT_LE(machine.edge.fetched.size() - before, 3U);
  expect_tree(installed, first_tree());
  EXPECT_EQ(machine.run(ChangeKind::verify).state, ChangeState::done);
}

TEST_F(AgentTest, APausedChangeGoesOnWithoutFetchingAgainWhatItHad) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.edge.pieces_until_down = 10;
  auto id = machine.agent->start(Machine::request(ChangeKind::install))->id;
  ASSERT_TRUE(machine.reaches(id, ChangeState::waiting));
  ASSERT_TRUE(machine.agent->pause(id));
  ASSERT_TRUE(machine.reaches(id, ChangeState::paused));
  machine.edge.down = false;
  machine.edge.pieces_until_down = SIZE_MAX;
  ASSERT_TRUE(machine.agent->resume(id));
  ASSERT_TRUE(machine.reaches(id, ChangeState::done));
  auto pieces = machine.edge.fetched;
  std::ranges::sort(pieces);
  EXPECT_EQ(std::ranges::adjacent_find(pieces), pieces.end());
  expect_tree(installed, first_tree());
}

TEST_F(AgentTest, WritesThatWereQueuedWhenAChangeWasPausedReachNoFile) {
  Machine machine(publisher, state, Consent::granted);
  machine.add_repository(publisher);
  machine.edge.pieces_until_down = 10;
  auto id = machine.agent->start(Machine::request(ChangeKind::install))->id;
  ASSERT_TRUE(machine.reaches(id, ChangeState::waiting));
  auto store = machine.swarm.artifacts.begin()->second.description.store;
  ASSERT_TRUE(machine.agent->pause(id));
  ASSERT_TRUE(machine.reaches(id, ChangeState::paused));
  ASSERT_TRUE(store->write(0, Bytes(1'000'000, 0xff)));
  machine.edge.down = false;
  machine.edge.pieces_until_down = SIZE_MAX;
  ASSERT_TRUE(machine.agent->resume(id));
  ASSERT_TRUE(machine.reaches(id, ChangeState::done));
  auto pieces = machine.edge.fetched;
  std::ranges::sort(pieces);
  EXPECT_EQ(std::ranges::adjacent_find(pieces), pieces.end());
  expect_tree(installed, first_tree());
}

TEST_F(AgentTest, AnUnfinishedChangeGoesOnAfterARestart) {
  std::size_t fetched_before = 0;
  std::uint64_t edge_bytes_before = 0;
  std::string id;
  {
    Machine machine(publisher, state);
    machine.add_repository(publisher);
    machine.edge.pieces_until_down = 10;
    id = machine.agent->start(Machine::request(ChangeKind::install))->id;
    ASSERT_TRUE(machine.reaches(id, ChangeState::waiting));
    fetched_before = machine.edge.fetched.size();
    edge_bytes_before = machine.edge.wire_bytes;
  }
  Machine machine(publisher, state);
  ASSERT_TRUE(machine.reaches(id, ChangeState::done));
  EXPECT_GE(fetched_before, 10U);
  EXPECT_LE(machine.edge.fetched.size() + fetched_before, 32U);
  EXPECT_EQ(machine.view(id).bytes.edge, edge_bytes_before + machine.edge.wire_bytes);
  expect_tree(installed, first_tree());
}

TEST_F(AgentTest, AfterARestartWithoutNetworkAnUnfinishedChangeWaitsForIt) {
  std::string id;
  {
    Machine machine(publisher, state);
    machine.add_repository(publisher);
    machine.edge.pieces_until_down = 3;
    id = machine.agent->start(Machine::request(ChangeKind::install))->id;
    ASSERT_TRUE(machine.reaches(id, ChangeState::waiting));
  }
  Machine machine(publisher, state, Consent::denied, {}, true);
  ASSERT_TRUE(machine.reaches(id, ChangeState::waiting));
  machine.web.down = false;
  ASSERT_TRUE(machine.reaches(id, ChangeState::done));
  expect_tree(installed, first_tree());
}

TEST_F(AgentTest, CancellingAFirstInstallLeavesNothing) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.edge.pieces_until_down = 2;
  auto id = machine.agent->start(Machine::request(ChangeKind::install))->id;
  ASSERT_TRUE(machine.reaches(id, ChangeState::waiting));
  ASSERT_TRUE(machine.agent->cancel(id));
  ASSERT_TRUE(machine.reaches(id, ChangeState::cancelled));
  EXPECT_TRUE(machine.agent->installs().empty());
  EXPECT_FALSE(std::filesystem::exists(installed));
  EXPECT_TRUE(!std::filesystem::exists(state / "library/.shoal/staging") ||
              std::filesystem::is_empty(state / "library/.shoal/staging"));
}

TEST_F(AgentTest, OneChangeAtATimePerInstall) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.edge.down = true;
  ASSERT_TRUE(machine.agent->start(Machine::request(ChangeKind::install)));
  auto second = machine.agent->start(Machine::request(ChangeKind::install));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::conflict);
}

TEST_F(AgentTest, UnknownProductsVersionsAndChannelsAreNamed) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  auto wanted = Machine::request(ChangeKind::install);
  wanted.channel = "beta";
  auto id = machine.agent->start(wanted)->id;
  ASSERT_TRUE(machine.reaches(id, ChangeState::failed));
  EXPECT_EQ(machine.view(id).error->kind, ErrorKind::not_found);
  EXPECT_NE(machine.view(id).error->remedy.find("stable"), std::string::npos);
  EXPECT_TRUE(machine.agent->installs().empty());
  wanted.product = "../etc";
  EXPECT_EQ(machine.agent->start(wanted).error().kind, ErrorKind::invalid_request);
}

TEST_F(AgentTest, UninstallRemovesTheTreeAndKeepsUnknownFiles) {
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.run(ChangeKind::install);
  std::ofstream(installed / "savegame") << "mine";
  EXPECT_EQ(machine.run(ChangeKind::uninstall).state, ChangeState::done);
  EXPECT_TRUE(machine.agent->installs().empty());
  EXPECT_TRUE(std::filesystem::exists(installed / "savegame"));
  EXPECT_FALSE(std::filesystem::exists(installed / "readme.txt"));
}

TEST_F(AgentTest, ARepositoryThatCannotBeTrustedIsNotAdded) {
  Machine machine(publisher, state);
  Publisher other;
  auto refused = machine.try_to_add_repository(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::signature_invalid);
  EXPECT_NE(refused.error().remedy.find("root.json is of this"), std::string::npos);
  EXPECT_TRUE(machine.agent->repositories().empty());
}

}  // namespace
}  // namespace shoal::agent
