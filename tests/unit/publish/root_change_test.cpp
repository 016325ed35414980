// A change of root under every loss of keys, killed before every change of the disk; and how
// clients hear of a new root that ask for the timestamp first.
#include "publish/root_change.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "ceremony.hpp"
#include "publish/root_proposal.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

using test::kNow;

struct RootChanges : test::Ceremony {
  // Roles whose keys are replaced, and whether the old ones are lost.
  struct Case {
    std::string name;
    std::vector<std::string> roles;
    bool lost = false;
  };
  Proposal rotation(const Case& change, const std::string& suffix) {
    RootChange asked;
    for (const auto& role : change.roles) {
      asked.rotate.insert(role);
      asked.add.push_back({role, make_key(role + suffix)});
    }
    auto proposal = propose(asked);
    sign(proposal, folder / "keys/root.key");
    if (proposal.find("targets")) sign(proposal, file("targets" + suffix));
    for (const auto& role : change.roles)
      if (change.lost) fs::remove(folder / ("keys/" + role + ".key"));
    return proposal;
  }
  // Asks for the timestamp first, as a daemon may do every few minutes.
  Result<bool> look(const std::string& client) {
    DirectoryFetcher fetcher(repository);
    trust::Updater updater(folder / ("clients/" + client), "metadata/", "targets/", fetcher,
                           environment.now);
    trust::Seen seen;
    return updater.refresh_if_changed(seen);
  }
  std::uint64_t root_of(const std::string& client) {
    auto bytes = read_file(folder / ("clients/" + client + "/root.json"), 1 << 20);
    return trust::parse_root(*bytes, {})->body.version;
  }
  void copy_client(const std::string& from, const std::string& to) {
    fs::remove_all(folder / ("clients/" + to));
    fs::copy(folder / ("clients/" + from), folder / ("clients/" + to));
  }
  // Applies to a copy of the repository, stopped before the n-th change of the disk; everybody must
  // be served in that state, and the next publisher must be able to finish. False: it was not
  // stopped any more.
  bool survives_a_stop(const fs::path& base, const Proposal& proposal, int stop_before) {
    repository = folder / "stopped";
    fs::remove_all(repository);
    fs::copy(base, repository, fs::copy_options::recursive);
    int changes = 0;
    environment.before_change = [&]() -> Result<void> {
      if (changes++ < stop_before) return {};
      return fail(ErrorKind::io_error, "stopped by the test");
    };
    auto stopped = apply(proposal, {"keys", "holders"});
    environment.before_change = nullptr;
    if (stopped) return false;
    EXPECT_EQ(stopped.error().message, "stopped by the test");
    auto client = fmt::format("stopped-{}", stop_before);
    copy_client("before", client);
    fs::remove_all(folder / "clients/new");
    for (const auto& name : {client, std::string("new")}) {
      auto refreshed = refresh_client(name);
      EXPECT_TRUE(refreshed) << name << ": " << refreshed.error().describe();
    }
    auto report = check_repository(repository, environment.now, pool);
    for (const auto& finding : report->findings)  // the copy for new clients follows the root
      EXPECT_EQ(finding.path, "root.json") << finding.problem;

    auto again = apply(proposal, {"keys", "holders"});
    EXPECT_TRUE(again || again.error().kind == ErrorKind::conflict) << again.error().describe();
    auto opened = Repository::open(repository, environment);
    EXPECT_TRUE(opened) << opened.error().describe();
    auto store = keys({"keys", "holders"});
    EXPECT_TRUE(opened->refresh(store));
    EXPECT_FALSE(fs::exists(repository / ".staged-metadata"));
    expect_clients_follow({client, "new"});
    EXPECT_EQ(root_of(client), 2U);
    return !HasFailure();
  }
};

TEST_F(RootChanges, StoppedBeforeAnyChangeOfTheDiskEveryClientIsServed) {
  ASSERT_TRUE(release("1.0", {"keys"}));
  ASSERT_TRUE(refresh_client("before"));
  const auto base = repository;
  const fs::path saved = folder / "saved-keys";
  fs::copy(folder / "keys", saved);
  const std::vector<Case> cases = {
      {"timestamp", {"timestamp"}, false},
      {"timestamp-lost", {"timestamp"}, true},
      {"snapshot", {"snapshot"}, false},
      {"snapshot-lost", {"snapshot"}, true},
      {"targets", {"targets"}, false},
      {"targets-lost", {"targets"}, true},
      {"online-lost", {"snapshot", "timestamp"}, true},
      {"all-lost", {"targets", "snapshot", "timestamp"}, true},
  };
  for (const auto& change : cases) {
    SCOPED_TRACE(change.name);
    repository = base;
    auto proposal = rotation(change, "-" + change.name);
    int stops = 0;
    while (survives_a_stop(base, proposal, stops)) ASSERT_LT(++stops, 100);
    ASSERT_FALSE(HasFailure()) << "stopped before change " << stops;
    EXPECT_GE(stops, 4) << "so many files are written, at least";
    fs::copy(saved, folder / "keys",
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }
}

TEST_F(RootChanges, WhereTheFolderCannotBeReplacedALostKeyTakesTwoRoots) {
  ASSERT_TRUE(refresh_client("before"));
  fs::rename(repository / "metadata", folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", repository / "metadata");
  auto at_once = rotation({"", {"snapshot"}, true}, "-2");
  auto refused = apply(at_once, {"keys", "holders"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::not_allowed);
  EXPECT_THAT(refused.error().remedy, HasSubstr("two roots"));
  expect_clients_follow({"before"});

  auto old =
      trust::key_id(load_state(Layout(repository))
                        ->root.keys.at(load_state(Layout(repository))->root.snapshot.key_ids[0]));
  RootChange add;
  add.add.push_back({"snapshot", read_public_key(file("snapshot-2")).value()});
  RootChange remove;
  remove.remove.push_back({"snapshot", old});
  for (const auto& change : {add, remove}) {
    auto proposal = propose(change);
    sign(proposal, folder / "keys/root.key");
    auto applied = apply(proposal, {"keys", "holders"});
    ASSERT_TRUE(applied) << applied.error().describe();
    EXPECT_TRUE(applied->seamless);
    expect_clients_follow({"before", "new"});
  }
}

TEST_F(RootChanges, WhoAsksForTheTimestampFirstHearsOfANewRootAtOnce) {
  ASSERT_TRUE(refresh_client("client"));
  ASSERT_FALSE(look("client").value());
  RootChange change;
  change.expires = kNow + std::chrono::days(300);
  auto proposal = propose(change);
  sign(proposal, folder / "keys/root.key");
  auto applied = apply(proposal);
  ASSERT_TRUE(applied) << applied.error().describe();
  EXPECT_THAT(applied->signed_anew, ::testing::ElementsAre("timestamp"));
  EXPECT_TRUE(look("client").value());
  EXPECT_EQ(root_of("client"), 2U);
  EXPECT_EQ(apply(proposal).error().kind, ErrorKind::conflict) << "it was applied already";
}

TEST_F(RootChanges, ARootThatWasAppliedWithoutTheOnlineKeysIsAnnouncedByTheNextRefresh) {
  ASSERT_TRUE(refresh_client("client"));
  RootChange change;
  change.expires = kNow + std::chrono::days(300);
  auto proposal = propose(change);
  sign(proposal, folder / "keys/root.key");
  auto applied = apply(proposal, {"holders"});
  ASSERT_TRUE(applied) << applied.error().describe();
  EXPECT_TRUE(applied->signed_anew.empty());
  EXPECT_FALSE(look("client").value());
  EXPECT_EQ(root_of("client"), 1U);

  Layout layout(repository);  // as if a second had gone by
  fs::last_write_time(layout.timestamp(),
                      fs::last_write_time(layout.timestamp()) - std::chrono::seconds(1));
  auto refresh = [&] {
    auto opened = Repository::open(repository, environment);
    auto store = keys();
    return opened->refresh(store).value().renewed;
  };
  EXPECT_THAT(refresh(), ::testing::ElementsAre("timestamp"));
  EXPECT_THAT(refresh(), ::testing::IsEmpty());
  EXPECT_TRUE(look("client").value());
  EXPECT_EQ(root_of("client"), 2U);
}

}  // namespace
}  // namespace shoal::publish
