// The two changes of one step: verify, which reports wounds and keeps fresh stamps, and uninstall.
#include <fmt/core.h>

#include "agent/change_runner.hpp"
#include "agent/preparation.hpp"
#include "agent/tree_change.hpp"
#include "install/kept_delta.hpp"

namespace shoal::agent {
namespace {

struct Place {
  store::InstallRow row;
  const BeneathDir* library = nullptr;
};

Result<Place> place_of(RunnerHost& host, std::int64_t install) {
  Place place;
  SHOAL_ASSIGN(place.row, host.install_row(install));
  SHOAL_ASSIGN(place.library, host.library(place.row.library));
  return place;
}

class VerifyChange final : public ChangeRunner {
 public:
  using ChangeRunner::ChangeRunner;

 protected:
  std::vector<TaskKind> task_list() const override { return {TaskKind::verify}; }

  void run() override {
    auto place = place_of(host_, record_.install);
    if (!place) return end_failed(place.error());
    begin_task(TaskKind::verify);
    record_.view.version = record_.view.from_version = place->row.version;
    auto read = read_;
    job<install::VerifyReport>(
        [&context = context_, place = *place, stop = stop_,
         read]() -> Result<install::VerifyReport> {
          SHOAL_ASSIGN(auto record, load_record(context.store, place.row.id));
          SHOAL_ASSIGN(auto folder, RelativePath::parse(place.row.folder));
          SHOAL_ASSIGN(auto report,
                       install::verify(*place.library, folder, record.installed(), context.workers,
                                       stop, [read](std::uint64_t bytes) { *read = bytes; }));
          SHOAL_TRY(save_stamps(context.store, place.row.id, record.release, report.stamps));
          return report;
        },
        [this](install::VerifyReport report) { reported(report); });
  }

  void update_progress() override {
    if (auto* entry = task(TaskKind::verify)) entry->done_bytes = *read_;
  }

 private:
  void reported(const install::VerifyReport& report) {
    record_.view.notes = notes_of(report);
    *read_ = report.bytes;
    if (auto* entry = task(TaskKind::verify)) entry->total_bytes = report.bytes;
    // What is wounded is no longer offered, what is well again is.
    host_.stop_seeding(record_.install);
    host_.start_seeding(record_.install, {});
    if (!report.damaged()) return end_done();
    std::size_t damaged = 0;
    for (const auto& wound : report.wounds) damaged += wound.expected ? 0 : 1;
    end_failed({ErrorKind::verification_failed,
                fmt::format("{} of {} files are damaged or missing", damaged, report.files),
                fmt::format("Run 'shoal repair {}'.", record_.view.product)});
  }

  std::shared_ptr<std::atomic<std::uint64_t>> read_ =
      std::make_shared<std::atomic<std::uint64_t>>(0);
};

class UninstallChange final : public ChangeRunner {
 public:
  using ChangeRunner::ChangeRunner;

 protected:
  std::vector<TaskKind> task_list() const override { return {TaskKind::commit}; }

  void run() override {
    auto place = place_of(host_, record_.install);
    if (!place) return end_failed(place.error());
    begin_task(TaskKind::commit);
    record_.view.from_version = place->row.version;
    host_.stop_seeding(record_.install);
    job<install::UninstallOutcome>(
        [&context = context_, place = *place, stop = stop_]() -> Result<install::UninstallOutcome> {
          install::UninstallOutcome outcome;
          if (!place.row.version.empty()) {
            SHOAL_ASSIGN(auto record, load_record(context.store, place.row.id));
            SHOAL_ASSIGN(auto folder, RelativePath::parse(place.row.folder));
            SHOAL_TRY(install::discard_kept(*place.library, place.row.product));
            SHOAL_ASSIGN(outcome,
                         install::uninstall(*place.library, folder, record.installed(), stop));
          }
          SHOAL_TRY(context.store.remove_install(place.row.id));
          return outcome;
        },
        [this](install::UninstallOutcome outcome) {
          for (const auto& path : outcome.left) record_.view.notes.push_back({path, "left"});
          end_done();
        });
  }

  void ended(ChangeState state) override {
    if (state != ChangeState::done) host_.start_seeding(record_.install, {});
  }
};

}  // namespace

std::shared_ptr<ChangeRunner> make_runner(const Context& context, RunnerHost& host,
                                          ChangeRecord record) {
  switch (record.view.kind) {
    case ChangeKind::install:
    case ChangeKind::update:
    case ChangeKind::repair:
      return std::make_shared<TreeChange>(context, host, std::move(record));
    case ChangeKind::verify:
      return std::make_shared<VerifyChange>(context, host, std::move(record));
    case ChangeKind::uninstall:
      return std::make_shared<UninstallChange>(context, host, std::move(record));
  }
  return nullptr;
}

}  // namespace shoal::agent
