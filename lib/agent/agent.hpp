// The agent: all repositories, installs and changes of one daemon. Main thread only.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/change_runner.hpp"
#include "agent/delta_retention.hpp"
#include "agent/seeding.hpp"
#include "agent/service.hpp"

namespace shoal::agent {

struct AgentOptions {
  std::string version;                           // of the program
  std::vector<std::filesystem::path> libraries;  // absolute; the first is the default
  std::string listen;                            // for `status`
  std::uint64_t node = 0;                        // random, of this run
  // From the configuration: these win over what the API had set in an earlier run.
  std::optional<transfer::Consent> consent;
  std::optional<transfer::RateLimits> limits;
  std::optional<PolicyChoice> policy;
  bool dht = true;                               // false: no DHT, whatever publishers allow
  std::chrono::hours keep_deltas = kKeepDeltas;  // 0: none
};

class Agent final : public Service, private RunnerHost {
 public:
  static constexpr std::size_t kMaxRunningChanges = 2;  // more would only share the same disk
  static constexpr std::size_t kMaxQueuedChanges = 1000;

  Agent(const Context& context, AgentOptions options);
  ~Agent() override;

  // Reads the state, finishes interrupted commits, goes on with unfinished changes, seeds. Errors:
  // state_corrupt, io_error.
  Result<void> start();
  // Stops what runs, keeping what was staged; `done` is called when nothing runs any more.
  void shut_down(std::function<void()> done);

  SystemView system() const override;
  Result<void> configure(const ConfigUpdate& update) override;
  std::vector<RepositoryView> repositories() const override;
  void add_repository(const std::string& url, const std::string& root_json,
                      Reply<RepositoryView> reply) override;
  Result<void> remove_repository(std::int64_t id) override;
  void products(Reply<std::vector<ProductView>> reply) override;
  std::vector<InstallView> installs() const override;
  void plan(const ChangeRequest& request, Reply<PlanView> reply) override;
  Result<Change> start(const ChangeRequest& request) override;
  std::vector<Change> changes() const override;
  Result<Change> change(const std::string& id) const override;
  Result<Change> pause(const std::string& id) override;
  Result<Change> resume(const std::string& id) override;
  Result<Change> cancel(const std::string& id) override;
  void set_listener(std::function<void(const Event&)> listener) override;

 private:
  using AfterRefresh = std::function<void(const std::optional<Error>& error)>;
  struct RepositoryEntry {
    std::shared_ptr<RepositoryClient> client;
    RepositoryContents contents;
    std::optional<UtcSeconds> refreshed_at;
    std::optional<Error> last_error;
    bool refreshing = false;
    std::vector<AfterRefresh> waiting{};  // for the refresh after the one that is running
  };
  struct InstallEntry {
    store::InstallRow row;
    std::uint64_t size_bytes = 0;
    content::Launch launch;
  };

  Settings settings() const override;
  Result<std::shared_ptr<RepositoryClient>> repository(std::int64_t id) override;
  Result<const BeneathDir*> library(const std::string& path) override;
  Result<store::InstallRow> install_row(std::int64_t id) override;
  void stop_seeding(std::int64_t install) override;
  void start_seeding(std::int64_t install,
                     std::vector<std::shared_ptr<Artifact>> artifacts) override;
  void give_up_kept_deltas(const BeneathDir& library) override;
  void review_kept_deltas() override;
  std::uint64_t claimed_bytes(const BeneathDir& library, const std::string& change) override;
  void changed(const ChangeRecord& record, bool durable) override;

  Result<void> load_settings();
  Result<void> load_installs();
  Result<void> load_changes();
  void apply_limits();
  void change_ended(const ChangeRecord& record);
  void tell_dropped_mirrors();
  void load_details(std::int64_t install);
  void pump();  // starts queued changes
  // Those in the background wait while one in the foreground fetches.
  void let_foreground_go_first();
  void arm_refresh(std::chrono::milliseconds delay);
  void arm_limits();
  // Reads the repository as it is from now on; of one that is removed meanwhile there is no error.
  // However many ask, one refresh of a repository runs at a time and one more may wait, so that a
  // slow mirror does not take every job's thread.
  void refresh(std::int64_t id, AfterRefresh then);
  void begin_refresh(std::int64_t id);
  void refreshed(std::int64_t id, Result<RepositoryContents> contents);
  void emit(std::string resource, std::string id);

  struct Target {
    store::InstallRow row;  // id 0: to be added
  };
  Result<Target> target_of(const ChangeRequest& request);
  Result<Target> install_target(const ChangeRequest& request);
  Result<std::int64_t> repository_for(const ChangeRequest& request);
  InstallEntry* find_install(const std::string& product);
  const ChangeRunner* unfinished(std::int64_t install) const;
  Result<std::shared_ptr<ChangeRunner>> runner(const std::string& id) const;

  const Context& context_;
  AgentOptions options_;
  Settings settings_;
  transfer::RateLimits limits_;
  std::map<std::int64_t, RepositoryEntry> repositories_;
  std::map<std::string, std::unique_ptr<BeneathDir>> libraries_;
  std::map<std::int64_t, InstallEntry> installs_;
  std::map<std::uint64_t, std::shared_ptr<ChangeRunner>> changes_;  // by number, old ones too
  std::uint64_t next_change_ = 1;
  Seeding seeding_;
  std::function<void(const Event&)> listener_;
  SteadyMs started_{};
  bool shutting_down_ = false;
  bool order_posted_ = false;
  Timers::Id refresh_timer_ = 0;
  Timers::Id limits_timer_ = 0;
  // Mirrors that an event has told of, each a repository's.
  std::set<std::pair<std::int64_t, std::string>> told_dropped_;
  ByteCounts ended_bytes_;  // of changes that have ended since the start
};

}  // namespace shoal::agent
