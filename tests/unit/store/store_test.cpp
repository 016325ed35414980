// The daemon's state: what is written is there after reopening, a process killed at any point
// leaves a whole state, and a state that cannot be trusted is refused with a way out.
#include "store/store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "store/database.hpp"
#include "store/schema.hpp"
#include "support/temp_dir.hpp"
#include "unit/store/v1_fixture.hpp"

namespace shoal::store::test {
namespace {

using ::testing::HasSubstr;

UtcSeconds at(std::int64_t seconds) { return UtcSeconds(std::chrono::seconds(seconds)); }

class StoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> open() {
    auto store = Store::open(dir_.path());
    if (!store) throw std::runtime_error(store.error().describe());
    return std::move(*store);
  }
  ErrorKind open_error() {
    auto store = Store::open(dir_.path());
    EXPECT_FALSE(store);
    EXPECT_FALSE(store ? true : store.error().remedy_or_default().empty());
    return store ? ErrorKind::internal : store.error().kind;
  }
  std::unique_ptr<Database> open_raw() { return std::move(*Database::open(file())); }
  std::filesystem::path file() const { return dir_ / "shoal.db"; }

  // A repository and one install; returns the install as stored.
  static InstallRow add_install(Store& store, const std::string& product = "game") {
    auto repositories = store.repositories().value();
    auto repository = repositories.empty()
                          ? store.add_repository({0, "https://a.example/", at(1)}).value()
                          : repositories.front().id;
    InstallRow row{0, repository, product, "stable", "", "/srv/games", product, at(2)};
    row.id = store.add_install(row).value();
    return row;
  }
  static std::string document(Store& store, std::int64_t install, const std::string& name) {
    auto bytes = store.document(install, name).value();
    return bytes ? std::string(as_text(*bytes)) : "absent";
  }

  shoal::test::TempDir dir_;
};

TEST_F(StoreTest, EverythingIsThereAfterReopening) {
  InstallRow row;
  {
    auto store = open();
    row = add_install(*store);
    row.version = "1.0";
    ASSERT_TRUE(store->update_install(row));
    ASSERT_TRUE(store->put_documents(
        row.id, {{"release.json", to_bytes("{}")}, {"empty", {}}, {"nul", {0, 1, 0, 255}}}));
    ASSERT_TRUE(store->put_change({"c1", "install", "running", row.id, at(3), "{\"a\":1}", ""}));
    ASSERT_TRUE(store->begin_commit(row.id, to_bytes("journal")));
    ASSERT_TRUE(store->set_setting("consent", "lan"));
    ASSERT_TRUE(store->set_setting("consent", "granted"));
  }
  auto store = open();
  auto repositories = store->repositories().value();
  ASSERT_EQ(repositories.size(), 1u);
  EXPECT_EQ(repositories[0].url, "https://a.example/");
  EXPECT_EQ(repositories[0].added_at, at(1));
  auto installs = store->installs().value();
  ASSERT_EQ(installs.size(), 1u);
  EXPECT_EQ(installs[0].id, row.id);
  EXPECT_EQ(installs[0].repository, row.repository);
  EXPECT_EQ(installs[0].product, "game");
  EXPECT_EQ(installs[0].channel, "stable");
  EXPECT_EQ(installs[0].version, "1.0");
  EXPECT_EQ(installs[0].library, "/srv/games");
  EXPECT_EQ(installs[0].folder, "game");
  EXPECT_EQ(installs[0].updated_at, at(2));
  EXPECT_EQ(document(*store, row.id, "release.json"), "{}");
  EXPECT_EQ(document(*store, row.id, "empty"), "");
  EXPECT_EQ(store->document(row.id, "nul").value(), (Bytes{0, 1, 0, 255}));
  EXPECT_EQ(document(*store, row.id, "other"), "absent");
  auto changes = store->changes().value();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].id, "c1");
  EXPECT_EQ(changes[0].kind, "install");
  EXPECT_EQ(changes[0].state, "running");
  EXPECT_EQ(changes[0].install, row.id);
  EXPECT_EQ(changes[0].created_at, at(3));
  EXPECT_EQ(changes[0].request_json, "{\"a\":1}");
  auto commits = store->open_commits().value();
  ASSERT_EQ(commits.size(), 1u);
  EXPECT_EQ(commits[0].install, row.id);
  EXPECT_EQ(commits[0].journal, to_bytes("journal"));
  EXPECT_EQ(store->setting("consent").value(), "granted");
  EXPECT_EQ(store->setting("other").value(), std::nullopt);
}

TEST_F(StoreTest, ClashesAndMissingRowsAreNamed) {
  auto store = open();
  auto row = add_install(*store);
  EXPECT_EQ(store->add_repository({0, "https://a.example/", at(1)}).error().kind,
            ErrorKind::conflict);
  EXPECT_EQ(store->add_install(row).error().kind, ErrorKind::conflict);
  auto same_place = row;
  same_place.product = "other";
  EXPECT_EQ(store->add_install(same_place).error().kind, ErrorKind::conflict);
  auto no_repository = row;
  no_repository.repository = 99;
  no_repository.folder = no_repository.product = "third";
  EXPECT_EQ(store->add_install(no_repository).error().kind, ErrorKind::conflict);
  EXPECT_EQ(store->remove_repository(row.repository).error().kind, ErrorKind::conflict);
  EXPECT_EQ(store->remove_repository(99).error().kind, ErrorKind::not_found);
  auto absent = row;
  absent.id = 99;
  EXPECT_EQ(store->update_install(absent).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store->finish_commit(absent, {}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store->remove_install(99).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store->put_documents(99, {{"a", {}}}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store->begin_commit(99, {}).error().kind, ErrorKind::not_found);
  ASSERT_TRUE(store->begin_commit(row.id, to_bytes("first")));
  EXPECT_EQ(store->begin_commit(row.id, to_bytes("second")).error().kind, ErrorKind::conflict);
  EXPECT_EQ(store->open_commits().value()[0].journal, to_bytes("first"));
}

TEST_F(StoreTest, RemovingAnInstallTakesItsDocumentsAndJournal) {
  auto store = open();
  auto row = add_install(*store);
  ASSERT_TRUE(store->put_documents(row.id, {{"a", to_bytes("b")}}));
  ASSERT_TRUE(store->begin_commit(row.id, to_bytes("j")));
  ASSERT_TRUE(store->remove_install(row.id));
  EXPECT_EQ(document(*store, row.id, "a"), "absent");
  EXPECT_TRUE(store->open_commits().value().empty());
  EXPECT_TRUE(store->remove_repository(row.repository));
  EXPECT_NE(add_install(*store).id, row.id) << "an id is never used twice";
}

TEST_F(StoreTest, FinishingACommitReplacesDocumentsAndJournalTogether) {
  auto store = open();
  auto row = add_install(*store);
  auto other = add_install(*store, "other");
  ASSERT_TRUE(store->put_documents(row.id, {{"old", to_bytes("1")}, {"both", to_bytes("1")}}));
  ASSERT_TRUE(store->put_documents(other.id, {{"old", to_bytes("1")}}));
  ASSERT_TRUE(store->begin_commit(row.id, to_bytes("j")));
  row.version = "2.0";
  ASSERT_TRUE(store->finish_commit(row, {{"both", to_bytes("2")}, {"new", to_bytes("2")}}));
  EXPECT_EQ(document(*store, row.id, "old"), "absent");
  EXPECT_EQ(document(*store, row.id, "both"), "2");
  EXPECT_EQ(document(*store, row.id, "new"), "2");
  EXPECT_EQ(document(*store, other.id, "old"), "1");
  EXPECT_TRUE(store->open_commits().value().empty());
  EXPECT_EQ(store->installs().value()[0].version, "2.0");
}

TEST_F(StoreTest, AFailedFinishLeavesEverythingAsItWas) {
  auto store = open();
  auto row = add_install(*store);
  auto other = add_install(*store, "other");
  ASSERT_TRUE(store->put_documents(row.id, {{"old", to_bytes("1")}}));
  ASSERT_TRUE(store->begin_commit(row.id, to_bytes("j")));
  auto clash = row;
  clash.version = "2.0";
  clash.folder = other.folder;
  EXPECT_EQ(store->finish_commit(clash, {{"new", {}}}).error().kind, ErrorKind::conflict);
  EXPECT_EQ(document(*store, row.id, "old"), "1");
  EXPECT_EQ(store->open_commits().value().size(), 1u);
}

TEST_F(StoreTest, OnlyFinishedChangesBeyondTheLimitAreDeletedOldestFirst) {
  auto store = open();
  ASSERT_TRUE(store->put_change({"unfinished", "install", "paused", 0, at(0), "", ""}));
  const char* states[] = {"done", "failed", "cancelled"};
  const auto total = static_cast<int>(Store::kChangesKept) + 10;
  for (int i = 0; i < total; ++i) {
    auto id = "c" + std::to_string(i);
    ASSERT_TRUE(store->put_change({id, "install", "running", 0, at(i), "", ""}));
    ASSERT_TRUE(store->put_change({id, "install", states[i % 3], 0, at(i), "", ""}));
  }
  auto changes = store->changes().value();
  ASSERT_EQ(changes.size(), Store::kChangesKept + 1);
  EXPECT_EQ(changes.front().id, "unfinished");
  EXPECT_EQ(changes[1].id, "c10");
  EXPECT_EQ(changes.back().id, "c" + std::to_string(total - 1));
}

TEST_F(StoreTest, ASecondDaemonOnTheSameStateIsRefused) {
  auto store = open();
  EXPECT_EQ(open_error(), ErrorKind::conflict);
  store.reset();
  open();
}

// Runs the body in a child process that is killed at its end, or earlier by the parent.
template <typename Body>
::pid_t fork_child(Body body) {
  ::pid_t child = ::fork();
  if (child == 0) {
    body();
    ::kill(::getpid(), SIGKILL);
  }
  return child;
}
void wait_for_kill(::pid_t child) {
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "exit status " << status;
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_F(StoreTest, KilledInTheMiddleOfATransactionNothingOfItIsThere) {
  auto row = add_install(*open());
  wait_for_kill(fork_child([&] {
    auto database = open_raw();
    // Small enough a cache that the transaction's pages reach the file before its end.
    (void)database->execute("PRAGMA cache_size=10; BEGIN IMMEDIATE; DELETE FROM installs");
    (void)database->execute(
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
        "INSERT INTO settings SELECT i, hex(randomblob(2000)) FROM n");
  }));
  auto store = open();
  ASSERT_EQ(store->installs().value().size(), 1u);
  EXPECT_EQ(store->setting("1").value(), std::nullopt);
}

TEST_F(StoreTest, KilledAtAnyMomentACommitIsFinishedOrOpen) {
  auto row = add_install(*open());
  std::random_device device;
  auto seed = device();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 10; ++round) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    auto child = fork_child([&] {
      auto store = open();
      auto commits = store->open_commits().value();
      for (const auto& commit : commits)
        (void)store->finish_commit(row, {{"a", commit.journal}, {"b", commit.journal}});
      for (int i = 0;; ++i) {
        row.version = std::to_string(round) + "." + std::to_string(i);
        (void)store->begin_commit(row.id, as_bytes(row.version));
        (void)store->finish_commit(row,
                                   {{"a", to_bytes(row.version)}, {"b", to_bytes(row.version)}});
        if (::write(ready[1], "x", 1) != 1) break;
      }
    });
    // After this many commits and some microseconds more.
    for (unsigned commits = 1 + random() % 5; commits > 0; --commits) {
      char byte = 0;
      ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    }
    auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 3000);
    while (std::chrono::steady_clock::now() < until) {
    }
    ::kill(child, SIGKILL);
    wait_for_kill(child);
    ::close(ready[0]);
    ::close(ready[1]);
    auto store = open();
    row = store->installs().value().at(0);
    EXPECT_EQ(document(*store, row.id, "a"), row.version);
    EXPECT_EQ(document(*store, row.id, "b"), row.version);
    EXPECT_LE(store->open_commits().value().size(), 1u);
  }
}

TEST_F(StoreTest, AStateOfTheFirstVersionIsReadable) {
  ASSERT_TRUE(open_raw()->execute(kVersion1));
  auto store = open();
  EXPECT_EQ(store->repositories().value().at(0).id, 3);
  auto row = store->installs().value().at(0);
  EXPECT_EQ(row.id, 5);
  EXPECT_EQ(row.folder, "game");
  EXPECT_EQ(document(*store, 5, "release.json"), "{}");
  EXPECT_EQ(store->open_commits().value().at(0).journal, (Bytes{0, 255}));
  EXPECT_EQ(store->changes().value().at(0).request_json, "{\"a\":1}");
  EXPECT_EQ(store->setting("consent").value(), "lan");
}

// What is known of a repository under its id must not become that of another one.
TEST_F(StoreTest, ARepositorysIdIsNeverUsedTwice) {
  auto add_after_removal = [](Store& store, std::int64_t id) {
    EXPECT_TRUE(store.remove_repository(id));
    return store.add_repository({0, "https://b.example/", at(1)}).value();
  };
  {
    auto store = open();
    auto id = store->add_repository({0, "https://a.example/", at(1)}).value();
    EXPECT_EQ(add_after_removal(*store, id), id + 1);
  }
  std::filesystem::remove(file());
  ASSERT_TRUE(open_raw()->execute(kVersion1));
  auto store = open();
  EXPECT_EQ(store->remove_repository(3).error().kind, ErrorKind::conflict) << "an install's";
  ASSERT_TRUE(store->remove_install(5));
  EXPECT_EQ(add_after_removal(*store, 3), 4) << "also in a state of the first version";
}

TEST_F(StoreTest, MigrationTakesOnlyTheMissingStepsEachWholly) {
  ASSERT_TRUE(open_raw()->execute(kVersion1));
  std::vector<Migration> steps(migrations().begin(), migrations().end());
  steps.push_back({"notes", "ALTER TABLE installs ADD COLUMN note TEXT NOT NULL DEFAULT 'x'"});
  auto broken = steps;
  broken.push_back({"broken", "CREATE TABLE half(a); CREATE TABLE half(a)"});
  auto database = open_raw();
  EXPECT_FALSE(migrate(*database, broken));
  EXPECT_EQ(database->integer("SELECT max(version) FROM migrations").value(),
            static_cast<std::int64_t>(steps.size()));
  EXPECT_EQ(database->integer("SELECT count(*) FROM sqlite_schema WHERE name='half'").value(), 0);
  EXPECT_EQ(database->integer("PRAGMA foreign_keys").value(), 1);
  ASSERT_TRUE(migrate(*database, steps));
  EXPECT_EQ(database->integer("SELECT count(*) FROM installs WHERE note='x'").value(), 1);
  database.reset();
  EXPECT_EQ(open_error(), ErrorKind::unsupported_version) << "as the state of a newer Shoal";
}

// Foreign keys do not count while tables are replaced, so that they are checked afterwards.
TEST_F(StoreTest, AMigrationThatWouldLeaveARowWithoutItsParentIsUndone) {
  ASSERT_TRUE(open_raw()->execute(kVersion1));
  std::vector<Migration> steps(migrations().begin(), migrations().end());
  steps.push_back({"loses a table's rows", "DELETE FROM repositories"});
  auto database = open_raw();
  auto migrated = migrate(*database, steps);
  ASSERT_FALSE(migrated);
  EXPECT_EQ(migrated.error().kind, ErrorKind::state_corrupt);
  EXPECT_THAT(migrated.error().message, HasSubstr("'installs'"));
  EXPECT_EQ(database->integer("PRAGMA foreign_keys").value(), 1);
  EXPECT_EQ(database->integer("SELECT count(*) FROM repositories").value(), 1);
}

TEST_F(StoreTest, CorruptFilesAreReported) {
  {
    auto store = open();
    auto row = add_install(*store);
    for (int i = 0; i < 50; ++i)
      ASSERT_TRUE(store->put_documents(row.id, {{std::to_string(i), Bytes(5000, 7)}}));
  }
  auto good = shoal::test::read_text(file());
  auto damaged = good;
  damaged.replace(4096, damaged.size() - 4096, std::string(damaged.size() - 4096, '\x5a'));
  dir_.write("shoal.db", damaged);
  EXPECT_EQ(open_error(), ErrorKind::state_corrupt);
  dir_.write("shoal.db", good.substr(0, good.size() / 2));
  EXPECT_EQ(open_error(), ErrorKind::state_corrupt);
  dir_.write("shoal.db", std::string(8192, 'x'));
  EXPECT_EQ(open_error(), ErrorKind::state_corrupt);
  dir_.write("shoal.db", good);
  open();
}

// Damage in a page that opening does not read: found by reading the whole file only.
TEST_F(StoreTest, TheWholeFileIsCheckedUnlessItWasClosedInOrder) {
  {
    auto store = open();
    auto row = add_install(*store);
    for (int i = 0; i < 50; ++i)
      ASSERT_TRUE(store->put_documents(row.id, {{std::to_string(i), Bytes(5000, 7)}}));
  }
  ASSERT_EQ(open_raw()->integer("PRAGMA user_version").value(), 1);
  auto damaged = shoal::test::read_text(file());
  damaged.replace(damaged.size() - 4096, 4096, std::string(4096, '\x5a'));
  dir_.write("shoal.db", damaged);
  open();                                                     // in order, so quickly
  ASSERT_TRUE(open_raw()->execute("PRAGMA user_version=0"));  // as a killed daemon leaves it
  EXPECT_EQ(open_error(), ErrorKind::state_corrupt);
}

TEST_F(StoreTest, WhileItIsOpenTheFileCountsAsNotClosedInOrder) {
  open();  // and closed
  auto store = open();
  auto copy = dir_ / "copy";
  std::filesystem::create_directory(copy);
  for (const char* name : {"shoal.db", "shoal.db-wal"})
    std::filesystem::copy_file(dir_ / name, copy / name);  // what a kill would leave
  EXPECT_EQ(Database::open(copy / "shoal.db").value()->integer("PRAGMA user_version").value(), 0);
}

TEST_F(StoreTest, AnotherProgramsDatabaseIsLeftAlone) {
  ASSERT_TRUE(open_raw()->execute("CREATE TABLE theirs(a)"));
  EXPECT_EQ(open_error(), ErrorKind::state_corrupt);
  EXPECT_EQ(open_raw()->integer("SELECT count(*) FROM sqlite_schema").value(), 1);
}

TEST_F(StoreTest, AStateFolderThatCannotBeIsReported) {
  dir_.write("file", "");
  auto store = Store::open(dir_ / "file/state");
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("file"));
}

}  // namespace
}  // namespace shoal::store::test
