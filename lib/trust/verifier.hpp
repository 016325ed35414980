// The TUF client's verdicts (specification 1.0.34, section 5), pure: bytes and a fixed "now" in,
// what is trusted and what is refused out. No files, no network, no clock; the Updater feeds it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "trust/delegations.hpp"
#include "trust/metadata.hpp"

namespace shoal::trust {

// Counts distinct keys of the role whose signature is right. `what` is for the message: "timestamp
// version 7". Errors: signature_invalid when they are fewer than the threshold.
Result<void> check_threshold(const RoleKeys& role, const KeyMap& keys,
                             std::string_view signed_bytes,
                             const std::vector<Signature>& signatures, std::string_view what);

// Length and every hash that is given and known. Errors: verification_failed.
Result<void> check_file(ByteView bytes, std::optional<std::uint64_t> length, const Hashes& hashes,
                        std::string_view name);

enum class Freshness {
  replaced,  // now trusted: keep the bytes
  same,      // the version that was trusted already: keep the old bytes
};

// What is trusted so far in one update cycle. The order of calls is that of the specification: all
// roots, then timestamp, snapshot, top-level targets, delegated targets. A refused file changes
// nothing. Errors: metadata_invalid, signature_invalid, metadata_expired, metadata_rollback,
// verification_failed, too_large, unsupported_version.
class TrustedMetadata {
 public:
  // The root that is already trusted (shipped, or kept from the last cycle).
  static Result<TrustedMetadata> begin(ByteView root, UtcSeconds now, const Limits& limits);

  const Root& root() const { return root_; }
  const Timestamp* timestamp() const { return timestamp_ ? &*timestamp_ : nullptr; }
  const Snapshot* snapshot() const { return snapshot_ ? &*snapshot_ : nullptr; }
  // By chain ("targets", "targets/game", …; see DelegationSearch::Step); null when not loaded.
  const Targets* targets(const std::string& chain) const;

  // 5.3.4 to 5.3.7, for the next root. True when the timestamp's or the snapshot's keys changed:
  // the files of those roles must be forgotten (5.3.11).
  Result<bool> update_root(ByteView bytes);
  // Whether the bytes are the next root as the trusted one's keys signed it, if not one to trust:
  // then there is a newer root, whatever a mirror says.
  bool is_next_root(ByteView bytes) const;
  // 5.3.10, once no newer root is there.
  Result<void> finish_root() const;

  // The timestamp and snapshot of the last cycle, to compare with. They may have expired, and of
  // the role's keys one signature is enough: they were checked when they were kept, so this is only
  // against a disk that changed them, and a threshold raised since must not unbind them.
  Result<void> remember_timestamp(ByteView bytes);
  // True when it is also the snapshot that the timestamp names, and good: it is trusted now, and
  // nothing is to be fetched. After update_timestamp().
  Result<bool> remember_snapshot(ByteView bytes);

  Result<Freshness> update_timestamp(ByteView bytes);  // 5.4.2 to 5.4.4
  Result<void> update_snapshot(ByteView bytes);        // 5.5.2 to 5.5.6
  // 5.6.2 to 5.6.5. A role is verified with the keys of the very delegator through which it was
  // reached, and kept under that chain: another delegator may name other keys for it.
  Result<void> update_targets(ByteView bytes, const DelegationSearch::Step& step);

 private:
  TrustedMetadata(Root root, UtcSeconds now, const Limits& limits)
      : root_(std::move(root)), now_(now), limits_(limits) {}
  Result<void> check_expiry(UtcSeconds expires, std::string_view what) const;
  Result<void> check_snapshot(ByteView bytes, const Document<Snapshot>& document) const;
  Result<void> check_no_role_goes_back(const Snapshot& next) const;
  Result<void> check_targets_signatures(const Document<Targets>& document,
                                        const DelegationSearch::Step& step,
                                        std::string_view what) const;

  Root root_;
  UtcSeconds now_;
  Limits limits_;
  std::optional<Timestamp> old_timestamp_, timestamp_;
  bool old_timestamp_signed_ = false;  // by a whole threshold of today's keys
  std::optional<Snapshot> old_snapshot_, snapshot_;
  std::map<std::string, Targets> targets_;  // by chain
};

}  // namespace shoal::trust
