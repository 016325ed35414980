// Every version of the schema as the step that leads to it. The table `migrations` holds one row
// per step that was taken, and application_id tells our files from other databases.
#include "store/schema.hpp"

#include <fmt/core.h>

#include <array>

namespace shoal::store {
namespace {

constexpr std::int64_t kApplicationId = 0x53684c31;  // "ShL1"

// PRAGMA user_version, a number in the file's header: 1 from a closing in order to the next
// opening.
constexpr std::int64_t kClosedInOrder = 1;

constexpr std::string_view kDamaged =
    "Stop the daemon, keep a copy of shoal.db and shoal.db-wal and report it; without the files "
    "the daemon starts anew, and installed files stay as they are.";

constexpr std::string_view kTables = R"(
CREATE TABLE repositories(
  id INTEGER PRIMARY KEY,
  url TEXT NOT NULL UNIQUE,
  added_at INTEGER NOT NULL
) STRICT;
CREATE TABLE installs(
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: changes refer to it for the record
  repository INTEGER NOT NULL REFERENCES repositories(id) ON DELETE RESTRICT,
  product TEXT NOT NULL,
  channel TEXT NOT NULL,
  version TEXT NOT NULL,
  library TEXT NOT NULL,
  folder TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE(library, folder),
  UNIQUE(repository, product, library)
) STRICT;
CREATE TABLE documents(
  install INTEGER NOT NULL REFERENCES installs(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY(install, name)
) STRICT;
CREATE TABLE commits(
  install INTEGER PRIMARY KEY REFERENCES installs(id) ON DELETE CASCADE,
  journal BLOB NOT NULL
) STRICT;
CREATE TABLE changes(
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  install INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  request_json TEXT NOT NULL,
  outcome_json TEXT NOT NULL
) STRICT;
CREATE TABLE settings(
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
)";

// A repository's id was given again after the last one was removed, and what is known under it, the
// health of mirrors say, with it. AUTOINCREMENT cannot be added to a table, only to one in its
// place.
constexpr std::string_view kRepositoryIds = R"(
CREATE TABLE repositories_2(
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice
  url TEXT NOT NULL UNIQUE,
  added_at INTEGER NOT NULL
) STRICT;
INSERT INTO repositories_2 SELECT id, url, added_at FROM repositories;
DROP TABLE repositories;
ALTER TABLE repositories_2 RENAME TO repositories;
)";

constexpr std::array<Migration, 2> kMigrations{{
    {"first tables", kTables},
    {"ids of repositories are never used twice", kRepositoryIds},
}};

Result<void> check_references(Database& database) {
  SHOAL_ASSIGN(auto check, database.prepare("PRAGMA foreign_key_check"));
  SHOAL_ASSIGN(bool row, check->step());
  if (!row) return {};
  return fail(
      ErrorKind::state_corrupt,
      fmt::format("the state database is damaged: a row of '{}' refers to nothing", check->text(0)),
      std::string(kDamaged));
}

Result<void> take_step(Database& database, std::size_t version, const Migration& step) {
  SHOAL_ASSIGN(auto transaction, Transaction::begin(database));
  SHOAL_TRY(database.execute(std::string(step.sql)));
  SHOAL_TRY(check_references(database));
  SHOAL_ASSIGN(auto record, database.prepare("INSERT INTO migrations VALUES(?, ?)"));
  SHOAL_TRY(record->bind(static_cast<std::int64_t>(version)).bind(step.what).run());
  record.reset();
  return transaction.commit();
}

// A table that others refer to is replaced with foreign keys off, and they cannot be switched off
// within a transaction: https://www.sqlite.org/lang_altertable.html#otheralter
Result<void> take_steps(Database& database, std::span<const Migration> steps, std::size_t taken) {
  SHOAL_TRY(database.execute("PRAGMA foreign_keys=OFF"));
  Result<void> outcome;
  for (auto next = taken; outcome && next < steps.size(); ++next)
    outcome = take_step(database, next + 1, steps[next]);
  SHOAL_TRY(database.execute("PRAGMA foreign_keys=ON"));
  return outcome;
}

// An empty database becomes ours; one that is somebody else's is refused.
Result<void> claim(Database& database) {
  SHOAL_ASSIGN(auto id, database.integer("PRAGMA application_id"));
  if (id == kApplicationId) return {};
  SHOAL_ASSIGN(auto tables, database.integer("SELECT count(*) FROM sqlite_schema"));
  if (id != 0 || tables != 0)
    return fail(ErrorKind::state_corrupt, "the state database is not one of Shoal's",
                "Move the file shoal.db away, or name another state folder.");
  SHOAL_ASSIGN(auto transaction, Transaction::begin(database));
  SHOAL_TRY(database.execute(
      fmt::format("PRAGMA application_id={};"
                  "CREATE TABLE migrations(version INTEGER PRIMARY KEY, what TEXT NOT NULL) STRICT",
                  kApplicationId)));
  return transaction.commit();
}

Result<void> check_whole_file(Database& database) {
  SHOAL_ASSIGN(auto check, database.prepare("PRAGMA quick_check(1)"));
  SHOAL_ASSIGN(bool row, check->step());
  if (auto verdict = row ? check->text(0) : "no answer"; verdict != "ok")
    return fail(ErrorKind::state_corrupt, fmt::format("the state database is damaged: {}", verdict),
                std::string(kDamaged));
  return {};
}

}  // namespace

std::span<const Migration> migrations() { return kMigrations; }

Result<void> migrate(Database& database, std::span<const Migration> steps) {
  SHOAL_TRY(claim(database));
  SHOAL_ASSIGN(auto version, database.integer("SELECT coalesce(max(version), 0) FROM migrations"));
  if (version > static_cast<std::int64_t>(steps.size()))
    return fail(ErrorKind::unsupported_version,
                fmt::format("the state database has version {} of its schema; this program knows "
                            "versions up to {}",
                            version, steps.size()),
                "Update Shoal: a newer one wrote this state.");
  SHOAL_ASSIGN(auto closed, database.integer("PRAGMA user_version"));
  bool outdated = version < static_cast<std::int64_t>(steps.size());
  if (closed != kClosedInOrder || outdated) SHOAL_TRY(check_whole_file(database));
  SHOAL_TRY(database.execute("PRAGMA user_version=0"));
  return outdated ? take_steps(database, steps, static_cast<std::size_t>(version)) : Result<void>();
}

void mark_closed(Database& database) {
  // When this fails, the next start checks the file: nothing is lost.
  (void)database.execute(fmt::format("PRAGMA user_version={}", kClosedInOrder));
}

}  // namespace shoal::store
