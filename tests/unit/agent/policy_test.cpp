// Who decides what: the policy of machine and publisher, and foreground before background.
#include "unit/agent/world.hpp"

namespace shoal::agent {
namespace {

using test::Machine;
using test::Publisher;
using test::random_text;
using test::TempDir;
using transfer::Consent;
using transfer::Policy;

content::RepositoryInfo thrifty() {
  content::RepositoryInfo info;
  info.policy = content::EdgePolicy::thrifty;
  info.trackers = {"http://tracker.example/announce"};
  info.dht = true;
  return info;
}

std::map<std::string, std::string> tree(unsigned seed) {
  return {{"data", random_text(800'000, seed)}};
}

// A seed that is connected and gives nothing yet.
transfer::SwarmView idle_seed() {
  transfer::SwarmView view;
  view.peers.push_back({.node = 9, .seed = true});
  return view;
}

RepositoryView only_repository(const Machine& machine) {
  return machine.agent->repositories().at(0);
}

TEST(AgentPolicy, ThePublishersCountsUntilTheMachineHasItsOwn) {
  Publisher publisher(thrifty());
  publisher.release("1", tree(1));
  TempDir state;
  {
    Machine machine(publisher, state);
    machine.add_repository(publisher);
    EXPECT_EQ(machine.agent->system().policy, std::nullopt);
    EXPECT_EQ(only_repository(machine).policy, Policy::thrifty);
    EXPECT_FALSE(only_repository(machine).policy_of_machine);
    EXPECT_TRUE(only_repository(machine).dht);
    EXPECT_EQ(only_repository(machine).trackers.size(), 1U);
    ConfigUpdate update;
    update.policy = PolicyChoice(Policy::balanced);
    ASSERT_TRUE(machine.agent->configure(update));
    EXPECT_EQ(only_repository(machine).policy, Policy::balanced);
  }
  Machine machine(publisher, state);
  EXPECT_EQ(machine.agent->system().policy, Policy::balanced);
  EXPECT_TRUE(only_repository(machine).policy_of_machine);
  ConfigUpdate update;
  update.policy = PolicyChoice();
  ASSERT_TRUE(machine.agent->configure(update));
  EXPECT_EQ(machine.agent->system().policy, std::nullopt);
}

TEST(AgentPolicy, AChangeFetchesByThePublishersPolicyAndThenByTheMachines) {
  Publisher publisher(thrifty());
  publisher.release("1", tree(1));
  TempDir state;
  Machine machine(publisher, state, Consent::granted);
  machine.add_repository(publisher);
  machine.swarm.view_on_add = idle_seed();
  machine.edge.hold = true;
  auto id = machine.agent->start(Machine::request(ChangeKind::install))->id;
  // Several decisions have been made once progress was told while fetching.
  int told = 0;
  machine.agent->set_listener([&](const Event& event) {
    if (event.resource != "change" || machine.swarm.adds == 0) return;
    ++told;
  });
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return told >= 2; }));
  EXPECT_TRUE(machine.edge.busy().empty()) << "a peer has everything: thrifty waits for it";
  ConfigUpdate update;
  update.policy = PolicyChoice(Policy::fastest);
  ASSERT_TRUE(machine.agent->configure(update));
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return !machine.edge.busy().empty(); }));
  machine.edge.release();
  EXPECT_TRUE(machine.reaches(id, ChangeState::done));
}

TEST(AgentPriority, BackgroundChangesFetchNothingWhileAForegroundOneDoes) {
  Publisher publisher;
  for (const char* product : {"one", "two", "game"})
    publisher.release("1", tree(static_cast<unsigned>(product[0])), product);
  TempDir state;
  Machine machine(publisher, state, Consent::granted);
  machine.add_repository(publisher);
  machine.edge.hold = true;
  std::vector<std::string> behind;
  for (const char* product : {"one", "two"})
    behind.push_back(
        machine.agent->start(Machine::request(ChangeKind::install, product, Priority::background))
            ->id);
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return machine.edge.busy().size() == 2; }));
  // Both places are taken, and still the third one begins at once.
  auto first = machine.agent->start(Machine::request(ChangeKind::install))->id;
  for (const auto& id : behind) ASSERT_TRUE(machine.reaches(id, ChangeState::waiting));
  EXPECT_NE(machine.view(behind[0]).waiting_for.find("foreground"), std::string::npos);
  ASSERT_TRUE(test::run_until(machine.loop, [&] { return !machine.edge.busy().empty(); }));
  EXPECT_EQ(machine.edge.busy().size(), 1U);
  EXPECT_EQ(machine.swarm.artifacts.size(), 1U);
  EXPECT_EQ(machine.view(behind[0]).bytes.edge, 0U);
  machine.edge.release();
  ASSERT_TRUE(machine.reaches(first, ChangeState::done));
  for (const auto& id : behind) EXPECT_TRUE(machine.reaches(id, ChangeState::done));
}

TEST(AgentPriority, AForegroundChangeThatWaitsForASourceHoldsNobodyUp) {
  Publisher publisher;
  publisher.release("1", tree(1));
  publisher.release("1", tree(2), "other");
  TempDir state;
  Machine machine(publisher, state);
  machine.add_repository(publisher);
  machine.edge.down = true;
  auto first = machine.agent->start(Machine::request(ChangeKind::install))->id;
  ASSERT_TRUE(machine.reaches(first, ChangeState::waiting));
  auto behind =
      machine.agent->start(Machine::request(ChangeKind::install, "other", Priority::background))
          ->id;
  ASSERT_TRUE(test::run_until(machine.loop, [&] {
    return machine.view(behind).waiting_for.find("edge is down") != std::string::npos;
  }));
  machine.edge.down = false;
  EXPECT_TRUE(machine.reaches(behind, ChangeState::done));
}

}  // namespace
}  // namespace shoal::agent
