// The rows of the daemon's state as statements. A mutex makes each method one turn; a method of
// several statements is one transaction.
#include "store/store.hpp"

#include <fmt/core.h>

#include <mutex>

#include "base/file.hpp"
#include "store/database.hpp"
#include "store/schema.hpp"

namespace shoal::store {
namespace {

std::int64_t to_integer(UtcSeconds time) { return time.time_since_epoch().count(); }
UtcSeconds to_time(std::int64_t seconds) { return UtcSeconds(std::chrono::seconds(seconds)); }

// "UNIQUE constraint failed" says nothing to a person.
Result<void> or_conflict(Result<void> done, std::string message) {
  if (done || done.error().kind != ErrorKind::conflict) return done;
  return fail(ErrorKind::conflict, std::move(message));
}

Result<void> no_such_install(std::int64_t id) {
  return fail(ErrorKind::not_found, fmt::format("no install has the id {}", id));
}

}  // namespace

struct Store::Impl {
  std::unique_ptr<Database> db;
  std::mutex mutex;

  Result<void> require_install(std::int64_t id);
  Result<void> write_install(const InstallRow& row);
  Result<void> write_documents(std::int64_t install, const std::vector<Document>& documents);
};

// The outcome of a foreign key's failure, said before it happens.
Result<void> Store::Impl::require_install(std::int64_t id) {
  SHOAL_ASSIGN(auto query, db->prepare("SELECT 1 FROM installs WHERE id=?"));
  SHOAL_ASSIGN(bool found, query->bind(id).step());
  return found ? Result<void>() : no_such_install(id);
}

Result<void> Store::Impl::write_install(const InstallRow& row) {
  SHOAL_ASSIGN(auto update,
               db->prepare("UPDATE installs SET repository=?, product=?, channel=?, version=?, "
                           "library=?, folder=?, updated_at=? WHERE id=?"));
  update->bind(row.repository).bind(row.product).bind(row.channel).bind(row.version);
  update->bind(row.library).bind(row.folder).bind(to_integer(row.updated_at)).bind(row.id);
  SHOAL_TRY(or_conflict(update->run(), fmt::format("{} in {}: the repository is not known, or "
                                                   "another install has this place or product",
                                                   row.product, row.library)));
  return db->changed_rows() == 0 ? no_such_install(row.id) : Result<void>();
}

Result<void> Store::Impl::write_documents(std::int64_t install,
                                          const std::vector<Document>& documents) {
  for (const auto& document : documents) {
    SHOAL_ASSIGN(auto insert, db->prepare("INSERT OR REPLACE INTO documents VALUES(?, ?, ?)"));
    SHOAL_TRY(insert->bind(install).bind(document.name).bind(ByteView(document.bytes)).run());
  }
  return {};
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() { mark_closed(*impl_->db); }

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& state_dir) {
  SHOAL_TRY(make_directories(state_dir, 0700));
  auto impl = std::make_unique<Impl>();
  SHOAL_ASSIGN(impl->db, Database::open(state_dir / "shoal.db"));
  SHOAL_TRY(migrate(*impl->db, migrations()));
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Result<std::int64_t> Store::add_repository(const RepositoryRow& row) {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto insert,
               impl_->db->prepare("INSERT INTO repositories(url, added_at) VALUES(?, ?)"));
  SHOAL_TRY(or_conflict(insert->bind(row.url).bind(to_integer(row.added_at)).run(),
                        fmt::format("the repository {} is known already", row.url)));
  return impl_->db->last_insert_id();
}

Result<void> Store::remove_repository(std::int64_t id) {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto remove, impl_->db->prepare("DELETE FROM repositories WHERE id=?"));
  auto removed = remove->bind(id).run();
  if (!removed && removed.error().kind == ErrorKind::conflict)
    return fail(ErrorKind::conflict, "the repository is in use by an install",
                "Uninstall its products first.");
  SHOAL_TRY(std::move(removed));
  if (impl_->db->changed_rows() == 0)
    return fail(ErrorKind::not_found, fmt::format("no repository has the id {}", id));
  return {};
}

Result<std::vector<RepositoryRow>> Store::repositories() {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto query,
               impl_->db->prepare("SELECT id, url, added_at FROM repositories ORDER BY id"));
  std::vector<RepositoryRow> rows;
  while (true) {
    SHOAL_ASSIGN(bool row, query->step());
    if (!row) return rows;
    rows.push_back({query->integer(0), query->text(1), to_time(query->integer(2))});
  }
}

Result<std::int64_t> Store::add_install(const InstallRow& row) {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto insert,
               impl_->db->prepare("INSERT INTO installs(repository, product, channel, version, "
                                  "library, folder, updated_at) VALUES(?, ?, ?, ?, ?, ?, ?)"));
  insert->bind(row.repository).bind(row.product).bind(row.channel).bind(row.version);
  insert->bind(row.library).bind(row.folder).bind(to_integer(row.updated_at));
  SHOAL_TRY(or_conflict(insert->run(), fmt::format("{} in {}: the repository is not known, or "
                                                   "another install has this place or product",
                                                   row.product, row.library)));
  return impl_->db->last_insert_id();
}

Result<void> Store::update_install(const InstallRow& row) {
  std::lock_guard lock(impl_->mutex);
  return impl_->write_install(row);
}

Result<void> Store::remove_install(std::int64_t id) {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto remove, impl_->db->prepare("DELETE FROM installs WHERE id=?"));
  SHOAL_TRY(remove->bind(id).run());
  return impl_->db->changed_rows() == 0 ? no_such_install(id) : Result<void>();
}

Result<std::vector<InstallRow>> Store::installs() {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto query,
               impl_->db->prepare("SELECT id, repository, product, channel, version, library, "
                                  "folder, updated_at FROM installs ORDER BY id"));
  std::vector<InstallRow> rows;
  while (true) {
    SHOAL_ASSIGN(bool row, query->step());
    if (!row) return rows;
    rows.push_back({query->integer(0), query->integer(1), query->text(2), query->text(3),
                    query->text(4), query->text(5), query->text(6), to_time(query->integer(7))});
  }
}

Result<void> Store::put_documents(std::int64_t install, const std::vector<Document>& documents) {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto transaction, Transaction::begin(*impl_->db));
  SHOAL_TRY(impl_->require_install(install));
  SHOAL_TRY(impl_->write_documents(install, documents));
  return transaction.commit();
}

Result<std::optional<Bytes>> Store::document(std::int64_t install, const std::string& name) {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto query,
               impl_->db->prepare("SELECT bytes FROM documents WHERE install=? AND name=?"));
  SHOAL_ASSIGN(bool row, query->bind(install).bind(name).step());
  return row ? std::optional(query->blob(0)) : std::nullopt;
}

Result<void> Store::put_change(const ChangeRow& row) {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto transaction, Transaction::begin(*impl_->db));
  SHOAL_ASSIGN(
      auto upsert,
      impl_->db->prepare("INSERT INTO changes(id, kind, state, install, created_at, request_json, "
                         "outcome_json) VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET "
                         "kind=excluded.kind, state=excluded.state, install=excluded.install, "
                         "created_at=excluded.created_at, request_json=excluded.request_json, "
                         "outcome_json=excluded.outcome_json"));
  upsert->bind(row.id).bind(row.kind).bind(row.state).bind(row.install);
  upsert->bind(to_integer(row.created_at)).bind(row.request_json).bind(row.outcome_json);
  SHOAL_TRY(upsert->run());
  SHOAL_ASSIGN(auto prune,
               impl_->db->prepare(
                   "DELETE FROM changes WHERE position IN (SELECT position FROM changes WHERE "
                   "state IN ('done', 'failed', 'cancelled') ORDER BY position DESC "
                   "LIMIT -1 OFFSET ?)"));
  SHOAL_TRY(prune->bind(static_cast<std::int64_t>(kChangesKept)).run());
  return transaction.commit();
}

Result<std::vector<ChangeRow>> Store::changes() {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto query,
               impl_->db->prepare("SELECT id, kind, state, install, created_at, request_json, "
                                  "outcome_json FROM changes ORDER BY position"));
  std::vector<ChangeRow> rows;
  while (true) {
    SHOAL_ASSIGN(bool row, query->step());
    if (!row) return rows;
    rows.push_back({query->text(0), query->text(1), query->text(2), query->integer(3),
                    to_time(query->integer(4)), query->text(5), query->text(6)});
  }
}

Result<void> Store::begin_commit(std::int64_t install, ByteView journal) {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto transaction, Transaction::begin(*impl_->db));
  SHOAL_TRY(impl_->require_install(install));
  SHOAL_ASSIGN(auto insert, impl_->db->prepare("INSERT INTO commits VALUES(?, ?)"));
  SHOAL_TRY(or_conflict(insert->bind(install).bind(journal).run(),
                        fmt::format("a commit of install {} is open already", install)));
  return transaction.commit();
}

Result<void> Store::finish_commit(const InstallRow& row, const std::vector<Document>& documents) {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto transaction, Transaction::begin(*impl_->db));
  SHOAL_TRY(impl_->write_install(row));
  for (const char* sql :
       {"DELETE FROM documents WHERE install=?", "DELETE FROM commits WHERE install=?"}) {
    SHOAL_ASSIGN(auto remove, impl_->db->prepare(sql));
    SHOAL_TRY(remove->bind(row.id).run());
  }
  SHOAL_TRY(impl_->write_documents(row.id, documents));
  return transaction.commit();
}

Result<std::vector<Store::OpenCommit>> Store::open_commits() {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto query,
               impl_->db->prepare("SELECT install, journal FROM commits ORDER BY install"));
  std::vector<OpenCommit> commits;
  while (true) {
    SHOAL_ASSIGN(bool row, query->step());
    if (!row) return commits;
    commits.push_back({query->integer(0), query->blob(1)});
  }
}

Result<void> Store::set_setting(const std::string& key, const std::string& value) {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto upsert, impl_->db->prepare("INSERT OR REPLACE INTO settings VALUES(?, ?)"));
  return upsert->bind(key).bind(value).run();
}

Result<std::optional<std::string>> Store::setting(const std::string& key) {
  std::lock_guard lock(impl_->mutex);
  SHOAL_ASSIGN(auto query, impl_->db->prepare("SELECT value FROM settings WHERE key=?"));
  SHOAL_ASSIGN(bool row, query->bind(key).step());
  return row ? std::optional(query->text(0)) : std::nullopt;
}

}  // namespace shoal::store
