// The messages of the local API, as openapi.yaml describes them; codec.hpp turns them into JSON and
// back. Byte counts are plain bytes from 0 to 2^63-1; an absent optional field is left out of the
// JSON; an empty string means "not known" or "none".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "protocol/words.hpp"

namespace shoal::protocol {

struct Config {
  Consent consent = Consent::denied;
  std::uint64_t upload_bytes_per_s = 0;  // 0: no limit
  std::uint64_t download_bytes_per_s = 0;
  PolicyChoice policy = PolicyChoice::publisher;
};

struct ConfigUpdate {  // fields left out stay as they are
  std::optional<Consent> consent{};
  std::optional<std::uint64_t> upload_bytes_per_s{};
  std::optional<std::uint64_t> download_bytes_per_s{};
  std::optional<PolicyChoice> policy{};
};

struct System {
  std::string version;  // of the daemon
  std::string state_dir;
  std::vector<std::string> libraries;
  std::string listen;  // where it listens for peers
  Config config;
  std::uint64_t edge_bytes = 0;  // these three since the daemon's start
  std::uint64_t peers_bytes = 0;
  std::uint64_t uploaded_bytes = 0;
  std::uint64_t uptime_s = 0;
  bool may_act = false;  // whether the caller may do more than read
};

struct Mirror {
  std::string url;
  bool dropped = false;     // proven to have served wrong bytes: not asked for ten minutes
  std::string last_error;   // empty when the last request went well
  std::uint64_t bytes = 0;  // received from it
  std::uint64_t wrong_pieces = 0;
};

// A product of a repository that cannot be used now, while the others can.
struct ProductProblem {
  std::string product;
  Error error;
};

struct Repository {
  std::int64_t id = 0;
  std::string url;
  UtcSeconds added_at{};
  std::optional<UtcSeconds> refreshed_at;
  std::optional<Error> last_error;  // of the whole repository, when it was read last
  std::vector<ProductProblem> problems;
  std::vector<Mirror> mirrors;
  std::vector<std::string> trackers;
  bool dht = false;              // used: the publisher allows it, and so does this machine
  std::optional<Policy> policy;  // in force for its products; empty until it was read
  PolicySource policy_source = PolicySource::publisher;
};

struct AddRepository {
  std::string url;
  std::string root_json;  // the trusted root.json, byte for byte
};

struct Product {
  std::string product;
  std::int64_t repository = 0;
  std::map<std::string, std::string> channels;  // name → version
  std::vector<std::string> versions;            // oldest first
};

struct Install {
  std::int64_t id = 0;
  std::string product;
  std::string channel;
  std::string version;
  std::string available_version;  // of its channel, as last seen
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

  bool update_available() const {
    return !available_version.empty() && available_version != version;
  }
};

// What to do, for POST /changes and POST /plans.
struct ChangeRequest {
  ChangeKind kind = ChangeKind::install;
  std::string product;
  std::optional<std::string> channel{};      // install only; default "stable"
  std::optional<std::string> version{};      // install only, pinned; excludes channel
  std::optional<std::string> library{};      // install only; default the first configured
  std::optional<std::int64_t> repository{};  // install only; when several offer the product
  std::vector<std::string> components{};     // install only; empty: all
  Priority priority = Priority::foreground;
};

// How the bytes of one component would come.
struct ComponentPlan {
  std::string component;
  Way way = Way::full;
  std::string reason;
  std::uint64_t fetch_bytes = 0;
  std::uint64_t edge_bytes = 0;
  std::uint64_t write_bytes = 0;
  std::uint64_t peak_extra_bytes = 0;
};

struct Plan {
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
  std::vector<std::string> moved_aside;     // files the user changed, by name
  std::vector<ComponentPlan> components{};  // none when there is nothing to do
  bool nothing_to_do = false;
};

struct ByteCounts {
  std::uint64_t total = 0;    // plain bytes that must be fetched in all
  std::uint64_t edge = 0;     // received from the edge, as sent (compressed)
  std::uint64_t peers = 0;    // received from peers, LAN included
  std::uint64_t lan = 0;      // the part of `peers` from local addresses
  std::uint64_t reused = 0;   // taken from this disk
  std::uint64_t written = 0;  // written to this disk
  std::uint64_t uploaded = 0;
  std::uint64_t fetched = 0;  // plain bytes of `total` that are there now
  std::uint64_t delta = 0;    // made by deltas, out of old files and what was fetched
};

struct Task {
  TaskKind kind = TaskKind::metadata;
  TaskState state = TaskState::pending;
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;
};

struct FileNote {
  std::string path;
  std::string note;
};

struct Change {
  std::string id;
  ChangeKind kind = ChangeKind::install;
  ChangeState state = ChangeState::queued;
  std::string product;
  std::string version;
  std::string from_version;
  Priority priority = Priority::foreground;
  std::vector<Task> tasks;
  ByteCounts bytes;
  std::uint64_t edge_bytes_per_s = 0;
  std::uint64_t peers_bytes_per_s = 0;
  std::uint32_t peers_connected = 0;
  std::optional<std::uint64_t> eta_s;
  std::string waiting_for;
  std::vector<FileNote> notes;  // maybe only the first of them: notes_total says how many there are
  std::uint64_t notes_total = 0;
  std::optional<Error> error;
  UtcSeconds created_at{};
  UtcSeconds updated_at{};
  double seconds = 0;
};

// What `removed` events carry.
struct Removed {
  std::string resource;  // "install" or "repository"
  std::string id;
};

// Lists come as objects with one field, so that fields can be added beside it.
struct Repositories {
  std::vector<Repository> repositories;
};
struct Products {
  std::vector<Product> products;
};
struct Installs {
  std::vector<Install> installs;
};
struct Changes {
  std::vector<Change> changes;
};

// The daemon at a glance: not a route, but what `shoal status --json` puts together from three.
struct Status {
  System system;
  std::vector<Change> changes;  // those that have not ended
  std::vector<Repository> repositories;
};

}  // namespace shoal::protocol
