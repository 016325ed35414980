// The daemon's durable state. Every method is one transaction; a returned success is on the disk
// (synchronous=FULL for commit points). Called from the main thread and, for documents, from
// workers: the class serialises access itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"

namespace shoal::store {

struct RepositoryRow {
  std::int64_t id = 0;
  std::string url;
  UtcSeconds added_at{};
};

struct InstallRow {
  std::int64_t id = 0;
  std::int64_t repository = 0;
  std::string product;
  std::string channel;  // "" when pinned to a version
  std::string version;  // "" while the first install is not committed
  std::string library;  // absolute path of the library
  std::string folder;   // the install's folder in it, a relative path
  UtcSeconds updated_at{};
};

struct ChangeRow {
  std::string id;  // chosen by the agent, unique
  std::string kind;
  std::string state;  // the agent's names; "done", "failed" and "cancelled" are finished
  std::int64_t install = 0;
  UtcSeconds created_at{};
  std::string request_json;  // what to do, enough to go on after a restart
  std::string outcome_json;  // counters and error, for the record
};

// A named blob of an install: release.json, torrents, recipes, stamps.
struct Document {
  std::string name;
  Bytes bytes;
};

class Store {
 public:
  static constexpr std::size_t kChangesKept = 200;  // finished ones; older are deleted

  // Opens or creates <state_dir>/shoal.db and brings its schema up to date. Errors:
  // unsupported_version (made by a newer Shoal), state_corrupt, io_error, conflict (another daemon
  // holds it).
  static Result<std::unique_ptr<Store>> open(const std::filesystem::path& state_dir);
  ~Store();

  Result<std::int64_t> add_repository(const RepositoryRow& row);
  Result<void> remove_repository(std::int64_t id);  // conflict while an install uses it
  Result<std::vector<RepositoryRow>> repositories();

  Result<std::int64_t> add_install(const InstallRow& row);
  Result<void> update_install(const InstallRow& row);
  Result<void> remove_install(std::int64_t id);  // with its documents and journal
  Result<std::vector<InstallRow>> installs();

  Result<void> put_documents(std::int64_t install, const std::vector<Document>& documents);
  Result<std::optional<Bytes>> document(std::int64_t install, const std::string& name);

  Result<void> put_change(const ChangeRow& row);
  Result<std::vector<ChangeRow>> changes();  // oldest first

  // The commit point: once this returns, the commit rolls forward, whatever happens.
  Result<void> begin_commit(std::int64_t install, ByteView journal);
  // The end of a commit, as one transaction: the row, its documents (all earlier ones of the
  // install are dropped) and no journal any more.
  Result<void> finish_commit(const InstallRow& row, const std::vector<Document>& documents);
  struct OpenCommit {
    std::int64_t install = 0;
    Bytes journal;
  };
  Result<std::vector<OpenCommit>> open_commits();

  Result<void> set_setting(const std::string& key, const std::string& value);
  Result<std::optional<std::string>> setting(const std::string& key);

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::store
