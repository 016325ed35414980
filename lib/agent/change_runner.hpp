// A change at work: what install, update, verify, repair and uninstall have in common. Steps that
// block run as jobs; pausing, cancelling and shutting down stop the present step and leave what was
// staged, so that running again goes on from there.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/artifact.hpp"
#include "agent/change_record.hpp"
#include "agent/install_record.hpp"
#include "agent/repository_client.hpp"

namespace shoal::agent {

struct Settings {
  transfer::Consent consent = transfer::Consent::denied;
  PolicyChoice policy;
  bool dht = true;                   // false: never, whatever publishers allow
  std::chrono::hours keep_deltas{};  // after an update, for others
  std::uint64_t node = 0;            // this machine's id among the peers
};

// What a runner asks of the agent. Main thread.
class RunnerHost {
 public:
  virtual ~RunnerHost() = default;
  virtual Settings settings() const = 0;
  virtual Result<std::shared_ptr<RepositoryClient>> repository(std::int64_t id) = 0;
  virtual Result<const BeneathDir*> library(const std::string& path) = 0;  // lives as the agent
  virtual Result<store::InstallRow> install_row(std::int64_t id) = 0;
  // The install's files are about to change: its artifacts leave the swarm.
  virtual void stop_seeding(std::int64_t install) = 0;
  // Takes artifacts over that a change has completed; empty: makes them from the record.
  virtual void start_seeding(std::int64_t install,
                             std::vector<std::shared_ptr<Artifact>> artifacts) = 0;
  // Their room is needed: they leave the swarm, and the caller removes their files.
  virtual void give_up_kept_deltas(const BeneathDir& library) = 0;
  // Those whose files are gone, or that are not worth it any more, leave the swarm.
  virtual void review_kept_deltas() = 0;
  // Disk space that other changes in the library have planned with.
  virtual std::uint64_t claimed_bytes(const BeneathDir& library, const std::string& change) = 0;
  // The record has changed; `durable`: it must be in the store before this returns.
  virtual void changed(const ChangeRecord& record, bool durable) = 0;
};

enum class StopReason { pause, cancel, shutdown };

class ChangeRunner : public std::enable_shared_from_this<ChangeRunner> {
 public:
  ChangeRunner(const Context& context, RunnerHost& host, ChangeRecord record);
  virtual ~ChangeRunner();

  const ChangeRecord& record() const { return record_; }
  bool active() const { return active_; }
  void start();
  // conflict past the commit point.
  Result<void> stop(StopReason reason);
  virtual void settings_changed() {}
  // While it yields it fetches nothing: a change in the foreground does.
  virtual void set_yielding(bool) {}
  bool fetching() const;  // its present task
  // Disk space that it has planned with in the library, as long as it runs.
  virtual std::uint64_t claimed_bytes(const BeneathDir&) const { return 0; }

 protected:
  virtual std::vector<TaskKind> task_list() const = 0;
  virtual void run() = 0;             // the first step; later ones follow from jobs' results
  virtual void halt() {}              // ends what is not a job: transfers
  virtual void ended(ChangeState) {}  // done, failed, paused or cancelled; before it is recorded
  virtual void update_progress() {}   // twice a second while active

  // Runs a job; `next` gets its value unless it failed or the change was stopped meanwhile.
  template <typename T>
  void job(std::function<Result<T>()> work, std::function<void(T)> next) {
    ++jobs_running_;
    run_job<T>(context_, std::move(work),
               [self = shared_from_this(), next = std::move(next)](Result<T> result) {
                 --self->jobs_running_;
                 if (self->stop_reason_) return self->settle_stop();
                 if (!self->active_) return;
                 if (!result) return self->end_failed(result.error());
                 next(std::move(*result));
               });
  }
  bool job_running() const { return jobs_running_ > 0; }
  void begin_task(TaskKind kind);  // the one before it is done
  Task* task(TaskKind kind);
  void set_waiting(bool waiting, const std::string& why);
  void end_done();
  void end_failed(const Error& error);

  const Context& context_;
  RunnerHost& host_;
  ChangeRecord record_;
  StopToken stop_;
  bool committing_ = false;

 private:
  void settle_stop();
  void reset_tasks();
  void run_again_later(const Error& error);
  void end(ChangeState state);
  void tick();

  bool active_ = false;
  int jobs_running_ = 0;
  std::optional<StopReason> stop_reason_;
  SteadyMs started_{};
  double seconds_before_ = 0;
  Timers::Id tick_ = 0;
  int ticks_ = 0;
  Timers::Id run_again_ = 0;
  // It had begun in an earlier run of the daemon: nobody is there to start it once more when the
  // network is not up yet, so it waits for it.
  bool resumed_ = false;
  std::size_t current_task_ = 0;
};

std::shared_ptr<ChangeRunner> make_runner(const Context& context, RunnerHost& host,
                                          ChangeRecord record);

}  // namespace shoal::agent
