// SQLite calls and the meaning of their result codes. locking_mode=EXCLUSIVE keeps the lock from
// the first access until the connection closes: that is what makes a second daemon on the same
// state fail, and a process that dies releases it with its descriptors.
#include "store/database.hpp"

#include <fmt/core.h>
#include <sqlite3.h>

namespace shoal::store {
namespace {

// A daemon that is being restarted still holds the lock for a moment.
constexpr int kBusyTimeoutMs = 1000;

ErrorKind kind_of(int code) {
  switch (code & 0xff) {  // the primary code; the rest refines it
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CONSTRAINT:
      return ErrorKind::conflict;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      return ErrorKind::state_corrupt;
    case SQLITE_FULL:
      return ErrorKind::disk_full;
    case SQLITE_READONLY:
      return ErrorKind::read_only;
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorKind::not_allowed;
    case SQLITE_TOOBIG:
      return ErrorKind::too_large;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return ErrorKind::io_error;
    default:
      return ErrorKind::internal;
  }
}

Error error_of(sqlite3* db, int code) {
  const char* file = sqlite3_db_filename(db, "main");
  std::string name = file == nullptr ? "database" : file;
  if ((code & 0xff) == SQLITE_BUSY)
    return {ErrorKind::conflict, fmt::format("open {}: another process uses it", name),
            "Stop the other daemon, or give this one a state folder of its own."};
  auto kind = kind_of(code);
  std::string remedy;
  if (kind == ErrorKind::state_corrupt)
    remedy = fmt::format(
        "Stop the daemon, keep a copy of {0}, {0}-wal and report it; without the files the daemon "
        "starts anew, and installed files stay as they are.",
        name);
  return {kind, fmt::format("{}: {}", name, sqlite3_errmsg(db)), std::move(remedy)};
}

}  // namespace

Statement::~Statement() {
  sqlite3_reset(stmt_);
  sqlite3_clear_bindings(stmt_);
}

Statement& Statement::bind(std::int64_t value) {
  int code = sqlite3_bind_int64(stmt_, next_parameter_++, value);
  if (code != SQLITE_OK) bind_error_ = code;
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  const char* data = text.empty() ? "" : text.data();  // a null pointer would bind NULL
  int code =
      sqlite3_bind_text64(stmt_, next_parameter_++, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (code != SQLITE_OK) bind_error_ = code;
  return *this;
}

Statement& Statement::bind(ByteView blob) {
  const void* data = blob.empty() ? static_cast<const void*>("") : blob.data();
  int code = sqlite3_bind_blob64(stmt_, next_parameter_++, data, blob.size(), SQLITE_STATIC);
  if (code != SQLITE_OK) bind_error_ = code;
  return *this;
}

Result<bool> Statement::step() {
  if (bind_error_ != SQLITE_OK) return fail(error_of(db_, bind_error_));
  int code = sqlite3_step(stmt_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(error_of(db_, sqlite3_extended_errcode(db_)));
}

Result<void> Statement::run() {
  while (true) {
    SHOAL_ASSIGN(bool row, step());
    if (!row) return {};
  }
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(stmt_, column); }

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(stmt_, column));
  auto size = static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column));
  return data == nullptr ? std::string() : std::string(data, size);
}

Bytes Statement::blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(stmt_, column));
  auto size = static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column));
  return data == nullptr ? Bytes() : Bytes(data, data + size);
}

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& file) {
  sqlite3* handle = nullptr;
  int code = sqlite3_open_v2(
      file.c_str(), &handle,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
      nullptr);
  std::unique_ptr<Database> database(new Database(handle));  // closes the handle in any case
  if (code != SQLITE_OK) {
    if (int reason = handle == nullptr ? 0 : sqlite3_system_errno(handle); reason != 0)
      return fail(system_error(reason, "open", file.native()));
    return fail(kind_of(code), fmt::format("open {}: {}", file.native(), sqlite3_errstr(code)));
  }
  SHOAL_TRY(database->configure());
  return database;
}

Result<void> Database::configure() {
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, kBusyTimeoutMs);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  SHOAL_TRY(
      execute("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
              "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF"));
  // The lock is taken by the first write; an empty one will do.
  return execute("BEGIN IMMEDIATE; COMMIT");
}

Database::~Database() {
  for (auto& [sql, statement] : cache_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

Result<std::unique_ptr<Statement>> Database::prepare(std::string_view sql) {
  auto found = cache_.find(sql);
  if (found == cache_.end()) {
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                  SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return fail(error_of(db_, code));
    found = cache_.emplace(std::string(sql), statement).first;
  }
  return std::make_unique<Statement>(db_, found->second);
}

Result<void> Database::execute(const std::string& sql) {
  int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error_of(db_, code));
  return {};
}

Result<std::int64_t> Database::integer(std::string_view sql) {
  SHOAL_ASSIGN(auto statement, prepare(sql));
  SHOAL_ASSIGN(bool row, statement->step());
  return row ? statement->integer(0) : 0;
}

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(db_); }
std::int64_t Database::changed_rows() const { return sqlite3_changes64(db_); }

Result<Transaction> Transaction::begin(Database& database) {
  SHOAL_TRY(database.execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (db_ != nullptr) (void)db_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
  SHOAL_TRY(db_->execute("COMMIT"));
  db_ = nullptr;
  return {};
}

}  // namespace shoal::store
