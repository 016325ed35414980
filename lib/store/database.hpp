// SQLite behind three small classes that own and close. Private to the module. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "base/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace shoal::store {

// One execution of a prepared statement. Values are bound in order; text and blobs must live until
// it is destroyed. Bind errors surface at the first step.
class Statement {
 public:
  Statement(sqlite3* database, sqlite3_stmt* statement) : db_(database), stmt_(statement) {}
  ~Statement();  // resets, so that the cached statement can run again
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view text);
  Statement& bind(ByteView blob);

  Result<bool> step();  // true: a row is there
  Result<void> run();   // to the end, ignoring rows

  std::int64_t integer(int column) const;
  std::string text(int column) const;
  Bytes blob(int column) const;

 private:
  sqlite3* db_;
  sqlite3_stmt* stmt_;
  int next_parameter_ = 1;
  int bind_error_ = 0;
};

class Database {
 public:
  // Opens or creates the file, takes it for this process alone (conflict when another holds it),
  // and sets WAL, synchronous=FULL and foreign keys.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Prepared once, then cached by its text.
  Result<std::unique_ptr<Statement>> prepare(std::string_view sql);
  Result<void> execute(const std::string& sql);  // any number of statements, no parameters
  Result<std::int64_t> integer(std::string_view sql);
  std::int64_t last_insert_id() const;
  std::int64_t changed_rows() const;  // by the last INSERT, UPDATE or DELETE

 private:
  explicit Database(sqlite3* database) : db_(database) {}
  Result<void> configure();

  sqlite3* db_;
  std::map<std::string, sqlite3_stmt*, std::less<>> cache_;
};

// Rolled back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Database& database) : db_(&database) {}
  Database* db_;
};

}  // namespace shoal::store
