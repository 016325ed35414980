// What the local API can ask of the agent, in the agent's own words. `Agent` implements it; a fake
// in the API's tests. Main thread only; nothing here blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "install/choose_way.hpp"
#include "transfer/edge.hpp"
#include "transfer/scheduler.hpp"
#include "transfer/swarm.hpp"

namespace shoal::agent {

enum class ChangeKind { install, update, verify, repair, uninstall };
enum class ChangeState {
  queued,
  running,
  paused,
  waiting,  // for a source: neither edge nor peers have what is missing; goes on by itself
  done,
  failed,
  cancelled,
};
enum class TaskKind { metadata, plan, delta, stage, fetch, verify, commit };
enum class TaskState { pending, running, done, failed };
enum class Priority { foreground, background };

struct ByteCounts {
  std::uint64_t total = 0;    // plain bytes that the fetch task needs in all
  std::uint64_t edge = 0;     // received from the edge, as sent (compressed)
  std::uint64_t peers = 0;    // received from peers, LAN included
  std::uint64_t lan = 0;      // the part of `peers` from local addresses
  std::uint64_t reused = 0;   // taken from this disk
  std::uint64_t written = 0;  // written to this disk
  std::uint64_t uploaded = 0;
  std::uint64_t fetched = 0;  // plain bytes of `total` that are there now
  std::uint64_t delta = 0;    // made by deltas: of old bytes and those that came for it
};

struct Task {
  TaskKind kind = TaskKind::metadata;
  TaskState state = TaskState::pending;
  std::uint64_t done_bytes = 0;  // progress, where the task counts bytes
  std::uint64_t total_bytes = 0;
};

struct FileNote {  // something about one file that a person should know
  std::string path;
  std::string note;  // "wrong_bytes", "moved_aside: <where>", "kept", …
};

struct Change {
  std::string id;
  ChangeKind kind = ChangeKind::install;
  ChangeState state = ChangeState::queued;
  std::string product;
  std::string version;       // the target; "" until known
  std::string from_version;  // "" for a first install
  Priority priority = Priority::foreground;
  std::vector<Task> tasks;
  ByteCounts bytes;
  std::uint64_t edge_bytes_per_s = 0;
  std::uint64_t peers_bytes_per_s = 0;
  std::uint32_t peers_connected = 0;
  std::optional<std::uint64_t> eta_s;
  std::string waiting_for;  // why it waits, in words
  std::vector<FileNote> notes;
  std::optional<Error> error;
  UtcSeconds created_at{};
  UtcSeconds updated_at{};
  double seconds = 0;  // running time so far, or in all
};

// The policy for all products, or nothing: each repository's own, as its publisher signed it.
using PolicyChoice = std::optional<transfer::Policy>;

// A product of a repository that cannot be used now, while the others can.
struct ProductProblem {
  std::string product;
  Error error;
};

struct RepositoryView {
  std::int64_t id = 0;
  std::string url;
  UtcSeconds added_at{};
  std::optional<UtcSeconds> refreshed_at;
  std::optional<Error> last_error;  // of the whole repository, when it was read last
  std::vector<ProductProblem> problems;
  std::vector<transfer::MirrorStatus> mirrors;
  std::vector<std::string> trackers;
  bool dht = false;                        // used: the publisher allows it, and so does the machine
  std::optional<transfer::Policy> policy;  // in force for its products; empty until it was read
  bool policy_of_machine = false;          // chosen here, not by the publisher
};

struct ProductView {
  std::string product;
  std::int64_t repository = 0;
  std::map<std::string, std::string> channels;  // name → version
  std::vector<std::string> versions;            // oldest first, as the publisher lists them
};

struct InstallView {
  std::int64_t id = 0;
  std::string product;
  std::string channel;
  std::string version;
  std::string available_version;  // of its channel, as last seen; "" when unknown
  std::string library;
  std::string path;  // absolute
  std::uint64_t size_bytes = 0;
  std::uint64_t kept_delta_bytes = 0;  // on the disk besides, for other machines
  bool seeding = false;
  std::uint64_t uploaded_bytes = 0;
  std::uint32_t peers_connected = 0;
  std::string launch_executable;
  std::vector<std::string> launch_arguments;
  UtcSeconds updated_at{};
  std::string current_change;  // "" when none runs
};

struct ComponentPlanView {
  std::string component;
  install::WayChoice choice;
};

struct PlanView {
  ChangeKind kind = ChangeKind::install;
  std::string product;
  std::string version;
  std::string from_version;
  std::uint64_t fetch_bytes = 0;
  std::uint64_t edge_bytes = 0;
  std::uint64_t reuse_bytes = 0;
  std::uint64_t delta_bytes = 0;
  std::uint64_t write_bytes = 0;
  std::uint64_t peak_extra_bytes = 0;
  std::uint64_t final_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::vector<std::string> moved_aside;
  std::vector<ComponentPlanView> components;  // none when there is nothing to do
  bool nothing_to_do = false;
};

struct SystemView {
  std::string version;
  std::string state_dir;
  std::vector<std::string> libraries;
  transfer::Consent consent = transfer::Consent::denied;
  transfer::RateLimits limits;
  PolicyChoice policy;
  std::string listen;
  std::uint64_t edge_bytes = 0;  // since start
  std::uint64_t peers_bytes = 0;
  std::uint64_t uploaded_bytes = 0;
  std::uint64_t uptime_s = 0;
};

struct ConfigUpdate {  // fields left out stay as they are
  std::optional<transfer::Consent> consent;
  std::optional<std::uint64_t> upload_bytes_per_s;
  std::optional<std::uint64_t> download_bytes_per_s;
  std::optional<PolicyChoice> policy;
};

struct ChangeRequest {
  ChangeKind kind = ChangeKind::install;
  std::string product;
  std::optional<std::string> channel;      // install: default "stable"
  std::optional<std::string> version;      // install: pinned; excludes channel
  std::optional<std::string> library;      // install: default the first configured
  std::optional<std::int64_t> repository;  // install: when several offer the product
  std::vector<std::string> components;     // install: empty means all
  Priority priority = Priority::foreground;
};

// What happened, for the event stream. `resource` is "change", "install", "repository" or "config";
// `id` names which.
struct Event {
  std::string resource;
  std::string id;
};

class Service {
 public:
  virtual ~Service() = default;

  template <typename T>
  using Reply = std::function<void(Result<T>)>;  // called on the main thread, maybe at once

  virtual SystemView system() const = 0;
  virtual Result<void> configure(const ConfigUpdate& update) = 0;

  virtual std::vector<RepositoryView> repositories() const = 0;
  // Checks the root and refreshes once before it says yes.
  virtual void add_repository(const std::string& url, const std::string& root_json,
                              Reply<RepositoryView> reply) = 0;
  virtual Result<void> remove_repository(std::int64_t id) = 0;  // conflict while installs use it
  virtual void products(Reply<std::vector<ProductView>> reply) = 0;  // refreshes

  virtual std::vector<InstallView> installs() const = 0;
  virtual void plan(const ChangeRequest& request, Reply<PlanView> reply) = 0;
  // The change is recorded durably before this returns. Errors: not_found, conflict (one runs for
  // this install), invalid_request.
  virtual Result<Change> start(const ChangeRequest& request) = 0;

  virtual std::vector<Change> changes() const = 0;  // newest first
  virtual Result<Change> change(const std::string& id) const = 0;
  virtual Result<Change> pause(const std::string& id) = 0;  // conflict when it has ended
  virtual Result<Change> resume(const std::string& id) = 0;
  virtual Result<Change> cancel(const std::string& id) = 0;  // conflict past the commit point

  // Called for every event, on the main thread; one listener (the API's hub).
  virtual void set_listener(std::function<void(const Event&)> listener) = 0;
};

std::string_view name_of(ChangeKind kind);
std::string_view name_of(ChangeState state);
std::string_view name_of(TaskKind kind);
std::string_view name_of(TaskState state);
std::string_view name_of(Priority priority);

}  // namespace shoal::agent
