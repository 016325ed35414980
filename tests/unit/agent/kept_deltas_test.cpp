// What an update was made of, offered to machines that come later, and when it goes.
#include "content/merkle.hpp"
#include "support/mounted.hpp"
#include "unit/agent/world.hpp"

namespace shoal::agent {
namespace {

using test::Machine;
using test::Publisher;
using test::random_text;
using test::TempDir;
using transfer::Consent;

TEST(DeltaRetention, GoesByConsentTimeAndRoom) {
  const Retention good{Consent::granted, std::chrono::hours(71), 1000, 10'000, kKeepDeltas};
  EXPECT_TRUE(is_worth_keeping(good));
  auto with = [&](auto change) {
    Retention deltas = good;
    change(deltas);
    return is_worth_keeping(deltas);
  };
  EXPECT_TRUE(with([](Retention& deltas) { deltas.consent = Consent::lan; }));
  EXPECT_FALSE(with([](Retention& deltas) { deltas.consent = Consent::denied; }));
  EXPECT_FALSE(with([](Retention& deltas) { deltas.age = std::chrono::hours(72); }));
  EXPECT_TRUE(with([](Retention& deltas) { deltas.age = std::chrono::hours(-5); }));  // clock set
  EXPECT_FALSE(with([](Retention& deltas) { deltas.age = std::chrono::hours(-25); }));
  EXPECT_FALSE(with([](Retention& deltas) { deltas.free_bytes = 9'999; }));
  EXPECT_FALSE(with([](Retention& deltas) { deltas.claimed_bytes = 1; }));
  EXPECT_FALSE(
      with([](Retention& deltas) { deltas.claimed_bytes = 20'000; }));  // more than is free
  EXPECT_TRUE(with([](Retention& deltas) {
    deltas.free_bytes += 5'000;
    deltas.claimed_bytes = 5'000;
  }));
  EXPECT_FALSE(with([](Retention& deltas) { deltas.bytes = 0; }));
  EXPECT_FALSE(with([](Retention& deltas) { deltas.limit = std::chrono::hours(0); }));
  EXPECT_FALSE(with([](Retention& deltas) { deltas.bytes = UINT64_MAX; }));
}

using Files = std::map<std::string, std::string>;

// Of version n: no chunk is the one before's, a third of it is new, and the rest is by delta.
Files tree(unsigned version) {
  Files files = {{"level", random_text(900'000, 1)}};
  auto& level = files["level"];
  for (std::size_t i = version; i < level.size(); i += 4096)
    level[i] = static_cast<char>(~level[i]);
  level.replace(300'000, 250'000, random_text(250'000, 100 + version));
  return files;
}

struct AgentKeptDeltas : testing::Test {
  Publisher publisher;
  TempDir state;

  void SetUp() override {
    publisher.release("1", tree(1));
    Machine machine(publisher, state);
    machine.add_repository(publisher);
    ASSERT_EQ(machine.run(ChangeKind::install).state, ChangeState::done);
    publisher.release("2", tree(2), "game", {"1"});
  }
  void TearDown() override {
    auto staging = state / "library/.shoal/staging";
    EXPECT_TRUE(!std::filesystem::exists(staging) || std::filesystem::is_empty(staging));
  }
  // Of a machine that was at version 1.
  static void update(Machine& machine) {
    auto change = machine.run(ChangeKind::update);
    ASSERT_EQ(change.state, ChangeState::done);
    ASSERT_GT(change.bytes.delta, 0U);
  }
  static bool offers(Machine& machine, std::size_t artifacts) {
    return test::run_until(machine.loop,
                           [&] { return machine.swarm.artifacts.size() == artifacts; });
  }
  std::size_t kept_files() const {
    std::size_t files = 0;
    auto folder = state / "library/.shoal/kept";
    if (!std::filesystem::exists(folder)) return 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
      files += entry.is_regular_file() ? 1 : 0;
    return files;
  }
  bool nothing_is_kept(Machine& machine) const {
    return test::run_until(machine.loop, [&] { return kept_files() == 0; });
  }
};

TEST_F(AgentKeptDeltas, AreOfferedWithTheRightBytesAlsoAfterARestart) {
  for (bool restarted : {false, true}) {
    Machine machine(publisher, state, Consent::granted);
    if (!restarted) update(machine);
    ASSERT_TRUE(offers(machine, 2)) << restarted;
    EXPECT_EQ(kept_files(), 1U);
    EXPECT_EQ(machine.agent->installs().front().kept_delta_bytes,
              std::filesystem::file_size(state / "library/.shoal/kept/game/2/base/delta"));
    for (const auto& [id, artifact] : machine.swarm.artifacts) {
      const auto& description = artifact.description;
      auto torrent = content::parse_torrent(description.torrent);
      ASSERT_TRUE(torrent);
      EXPECT_TRUE(description.have.all());
      for (std::size_t p = 0; p < torrent->piece_hashes.size(); ++p) {
        Bytes piece(torrent->piece_size);
        ASSERT_TRUE(description.store->read(p * std::uint64_t{torrent->piece_size}, piece));
        EXPECT_EQ(content::piece_hash(piece), torrent->piece_hashes[p]);
      }
    }
  }
}

TEST_F(AgentKeptDeltas, AreNotKeptWithoutConsent) {
  Machine machine(publisher, state, Consent::denied);
  update(machine);
  EXPECT_EQ(kept_files(), 0U);
}

TEST_F(AgentKeptDeltas, GoWhenConsentDoes) {
  Machine machine(publisher, state, Consent::granted);
  update(machine);
  ASSERT_TRUE(offers(machine, 2));
  ConfigUpdate less;
  less.consent = Consent::denied;
  ASSERT_TRUE(machine.agent->configure(less));
  EXPECT_TRUE(machine.swarm.artifacts.empty());
  EXPECT_TRUE(nothing_is_kept(machine));
  EXPECT_EQ(machine.agent->installs().front().kept_delta_bytes, 0U);
}

TEST_F(AgentKeptDeltas, GoAfterThreeDays) {
  {
    Machine machine(publisher, state, Consent::granted);
    update(machine);
    ASSERT_TRUE(offers(machine, 2));
    machine.clock.shift = std::chrono::hours(71);
    ASSERT_TRUE(machine.agent->configure({}));  // looks at them, as every hour does
    ASSERT_EQ(machine.run(ChangeKind::verify).state, ChangeState::done);  // time for it to go
    EXPECT_TRUE(offers(machine, 2));
    EXPECT_EQ(kept_files(), 1U);
    machine.clock.shift = std::chrono::hours(73);
    ASSERT_TRUE(machine.agent->configure({}));
    EXPECT_TRUE(nothing_is_kept(machine));
    EXPECT_EQ(machine.swarm.artifacts.size(), 1U);
  }
  Machine machine(publisher, state, Consent::granted);
  EXPECT_TRUE(offers(machine, 1));
}

TEST_F(AgentKeptDeltas, GoWithTheNextVersionAndWithTheInstall) {
  publisher.release("3", tree(3), "game", {"2"});
  Machine machine(publisher, state, Consent::granted);
  auto second = Machine::request(ChangeKind::update);
  second.version = "2";
  auto id = machine.agent->start(second)->id;
  ASSERT_TRUE(machine.reaches(id, ChangeState::done));
  ASSERT_TRUE(offers(machine, 2));
  EXPECT_TRUE(std::filesystem::exists(state / "library/.shoal/kept/game/2"));
  update(machine);
  ASSERT_TRUE(offers(machine, 2));
  EXPECT_FALSE(std::filesystem::exists(state / "library/.shoal/kept/game/2"));
  EXPECT_TRUE(std::filesystem::exists(state / "library/.shoal/kept/game/3"));
  EXPECT_EQ(kept_files(), 1U);
  ASSERT_EQ(machine.run(ChangeKind::uninstall).state, ChangeState::done);
  EXPECT_EQ(kept_files(), 0U);
  EXPECT_TRUE(machine.swarm.artifacts.empty());
}

TEST_F(AgentKeptDeltas, StayWithARepairAndAVerification) {
  Machine machine(publisher, state, Consent::granted);
  update(machine);
  std::filesystem::resize_file(state / "library/game/level", 1000);
  ASSERT_EQ(machine.run(ChangeKind::repair).state, ChangeState::done);
  EXPECT_TRUE(offers(machine, 2));
  ASSERT_EQ(machine.run(ChangeKind::verify).state, ChangeState::done);
  EXPECT_TRUE(offers(machine, 2));
  EXPECT_EQ(kept_files(), 1U);
}

TEST_F(AgentKeptDeltas, OneThatSomebodyRemovedIsNotOffered) {
  {
    Machine machine(publisher, state, Consent::granted);
    update(machine);
  }
  std::filesystem::remove_all(state / "library/.shoal/kept");
  Machine machine(publisher, state, Consent::granted);
  EXPECT_TRUE(offers(machine, 1));
}

TEST_F(AgentKeptDeltas, OneThatSomebodyRemovesMeanwhileIsOfferedNoLonger) {
  Machine machine(publisher, state, Consent::granted);
  update(machine);
  ASSERT_TRUE(offers(machine, 2));
  std::filesystem::remove_all(state / "library/.shoal/kept");
  ASSERT_TRUE(machine.agent->configure({}));  // looks at them, as every hour does
  EXPECT_TRUE(offers(machine, 1));
  EXPECT_EQ(machine.agent->installs().front().kept_delta_bytes, 0U);
}

// A commit that fails once the delta has been moved: a staged file is not what was verified.
TEST_F(AgentKeptDeltas, AreTakenBackByTheChangeThatComesAgain) {
  bool meddled = false;
  Machine machine(publisher, state, Consent::granted, [&](std::string_view step) {
    if (step != "commit.keep" || std::exchange(meddled, true)) return;
    const auto staging = state / "library/.shoal/staging";
    for (const auto& entry : std::filesystem::recursive_directory_iterator(staging))
      if (entry.path().filename() == "level") std::ofstream(entry.path(), std::ios::app) << 'x';
  });
  ASSERT_EQ(machine.run(ChangeKind::update).state, ChangeState::failed);
  EXPECT_EQ(kept_files(), 0U);
  const auto fetched = machine.edge.wire_bytes;
  update(machine);
  EXPECT_EQ(machine.edge.wire_bytes, fetched);
  ASSERT_TRUE(offers(machine, 2));
  EXPECT_EQ(kept_files(), 1U);
}

// A disk that is full but for what the next update needs, less a part of what is kept.
TEST_F(AgentKeptDeltas, MakeRoomForTheNextUpdate) {
  test::Mounted disk;
  if (!disk.mount({"/sbin/mkfs.ext4 -q -m 0", "64M"}))
    GTEST_SKIP() << "needs root and loop devices";
  std::filesystem::copy(state / "library", disk.path() / "library",
                        std::filesystem::copy_options::recursive);
  std::filesystem::remove_all(state / "library");
  std::filesystem::create_directory_symlink(disk.path() / "library", state / "library");
  Machine machine(publisher, state, Consent::granted);
  update(machine);
  ASSERT_TRUE(offers(machine, 2));
  ASSERT_EQ(kept_files(), 1U);
  publisher.release("3", tree(3));  // without a delta: the whole file is made anew
  constexpr std::uint64_t kNeeded = 900'000;
  {
    std::ofstream filler(disk.path() / "filler");
    const auto free = std::filesystem::space(disk.path()).available;
    filler << std::string(free - kNeeded + 100'000, 'x');
  }
  ASSERT_LT(std::filesystem::space(disk.path()).available, kNeeded);
  auto change = machine.run(ChangeKind::update);
  EXPECT_EQ(change.state, ChangeState::done) << (change.error ? change.error->describe() : "");
  EXPECT_TRUE(test::read_text(state / "library/game/level") == tree(3)["level"]);
  EXPECT_EQ(kept_files(), 0U);
}

}  // namespace
}  // namespace shoal::agent
