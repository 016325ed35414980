// The TUF client workflow (specification 1.0.34, section 5) for one repository: a thin layer that
// fetches and keeps files around the pure verifier. One object is one update cycle: "now" is fixed
// at construction (5.1). Blocking; used on a worker thread, by one thread at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/sha256.hpp"
#include "trust/fetcher.hpp"
#include "trust/limits.hpp"
#include "trust/metadata_store.hpp"
#include "trust/seen.hpp"

namespace shoal::trust {

struct TargetInfo {
  std::string path;
  std::uint64_t length = 0;
  Digest sha256;            // zero when the metadata gives only a SHA-512
  std::string sha512;       // hexadecimal; "" when the metadata gives none
  UtcSeconds good_until{};  // the earliest date among the roles that were searched for it
};

class Updater {
 public:
  // `metadata_dir` holds the trusted metadata, byte for byte as received: root.json,
  // timestamp.json, snapshot.json, targets.json, <percent-encoded role>.json. It must hold
  // root.json (see trust_initial_root).
  Updater(std::filesystem::path metadata_dir, std::string metadata_prefix,
          std::string targets_prefix, Fetcher& fetcher, UtcSeconds now, Limits limits = {});
  // The same files in a store, which must outlive this.
  Updater(MetadataStore& store, std::string metadata_prefix, std::string targets_prefix,
          Fetcher& fetcher, UtcSeconds now, Limits limits = {});
  ~Updater();

  // 5.2 to 5.6: root, timestamp, snapshot, top-level targets. Errors: metadata_*,
  // signature_invalid, network…; what was trusted before stays.
  Result<void> refresh();
  // The same in one request when nothing is new, for those who ask often: the timestamp is asked
  // for first, and if it is the one that is kept, byte for byte, and all that is kept still holds,
  // that is the answer (false). Against the order of section 5, a new root alone is thus noticed
  // only with the next timestamp, or after a day (Limits::roots_asked_seconds): then all mirrors
  // are asked for it, for one of them may hide it behind a timestamp of stolen keys; and for their
  // timestamps, of which the newest is taken, for the first one's may be an old one.
  //
  // What `seen` knows, from an Updater before this one, is not even parsed; it is verified once a
  // target is asked for. An answer of false fills `seen` in; another leaves it.
  Result<bool> refresh_if_changed(Seen& seen);
  // The roles that the top-level targets delegate to, in their order. Errors: those of refresh().
  Result<std::vector<std::string>> delegated_roles();
  // 5.6.7: searches the delegations; fetches roles as needed. not_found when no role names it.
  Result<TargetInfo> find_target(const std::string& path);
  // 5.7: fetches and checks length and hash. Consistent snapshots where the root says so.
  Result<Bytes> download_target(const TargetInfo& target);

  // Index of the mirror whose bytes were accepted last.
  std::uint32_t first_mirror() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Checks that the bytes are a well-formed root signed by its own keys, and puts them into the
// (created) directory as the root to begin with. Errors: metadata_invalid, signature_invalid,
// conflict when another root is there.
Result<void> trust_initial_root(const std::filesystem::path& metadata_dir, ByteView root_json,
                                const Limits& limits = {});

}  // namespace shoal::trust
