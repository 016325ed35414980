// Section 5 of the TUF specification, step by step; the numbers are those of version 1.0.34. Each
// update parses, checks everything, and only then replaces what was trusted.
#include "trust/verifier.hpp"

#include <fmt/core.h>
#include <openssl/evp.h>

#include <algorithm>
#include <set>

namespace shoal::trust {
namespace {

std::string sha512_hex(ByteView bytes) {
  std::uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha512(), nullptr) != 1)
    return {};
  return to_hex({digest, length});
}

bool same_keys(const RoleKeys& a, const Root& root_a, const RoleKeys& b, const Root& root_b) {
  auto key_set = [](const RoleKeys& role, const Root& root) {
    std::set<std::string> ids;  // by content: an id alone could be given to another key
    for (const auto& id : role.key_ids)
      if (auto key = root.keys.find(id); key != root.keys.end()) ids.insert(key_id(key->second));
    return ids;
  };
  return key_set(a, root_a) == key_set(b, root_b);
}

Result<void> check_version(std::uint64_t version, std::uint64_t expected, std::string_view role) {
  if (version == expected) return {};
  return fail(
      version < expected ? ErrorKind::metadata_rollback : ErrorKind::metadata_invalid,
      fmt::format("{} metadata has version {}, version {} was promised", role, version, expected));
}

}  // namespace

Result<void> check_threshold(const RoleKeys& role, const KeyMap& keys,
                             std::string_view signed_bytes,
                             const std::vector<Signature>& signatures, std::string_view role_name) {
  std::set<Digest> signers;
  for (const auto& signature : signatures) {
    if (std::ranges::find(role.key_ids, signature.key_id) == role.key_ids.end()) continue;
    auto key = keys.find(signature.key_id);
    if (key == keys.end()) continue;
    auto checked = check_signature(key->second, as_bytes(signed_bytes), signature.value);
    if (checked.check == SignatureCheck::good) signers.insert(checked.material);
    if (signers.size() >= role.threshold) return {};
  }
  return fail(ErrorKind::signature_invalid,
              fmt::format("{} metadata is signed by {} of its keys, {} must sign", role_name,
                          signers.size(), role.threshold));
}

Result<void> check_file(ByteView bytes, std::optional<std::uint64_t> length, const Hashes& hashes,
                        std::string_view name) {
  if (length && bytes.size() != *length)
    return fail(ErrorKind::verification_failed,
                fmt::format("{} has {} bytes, {} were signed", name, bytes.size(), *length));
  if (hashes.given && !hashes.sha256 && hashes.sha512.empty())
    return fail(ErrorKind::verification_failed,
                fmt::format("{} is signed with no hash algorithm that is known", name));
  if ((hashes.sha256 && sha256(bytes) != *hashes.sha256) ||
      (!hashes.sha512.empty() && sha512_hex(bytes) != hashes.sha512))
    return fail(ErrorKind::verification_failed,
                fmt::format("{} does not have the hash that was signed", name));
  return {};
}

Result<void> TrustedMetadata::check_expiry(UtcSeconds expires, std::string_view role) const {
  if (expires > now_) return {};
  return fail(ErrorKind::metadata_expired,
              fmt::format("{} metadata expired at {}; it is {} now", role, format_utc(expires),
                          format_utc(now_)));
}

Result<TrustedMetadata> TrustedMetadata::begin(ByteView root, UtcSeconds now,
                                               const Limits& limits) {
  SHOAL_ASSIGN(auto document, parse_root(root, limits));
  SHOAL_TRY(check_threshold(document.body.root, document.body.keys, document.signed_bytes,
                            document.signatures, "root"));
  return TrustedMetadata(std::move(document.body), now, limits);
}

Result<bool> TrustedMetadata::update_root(ByteView bytes) {
  SHOAL_ASSIGN(auto document, parse_root(bytes, limits_));
  Root& next = document.body;
  // 5.3.4: signed by a threshold of the old root's keys and of its own.
  SHOAL_TRY(check_threshold(root_.root, root_.keys, document.signed_bytes, document.signatures,
                            "root (by the previous root's keys)"));
  SHOAL_TRY(check_threshold(next.root, next.keys, document.signed_bytes, document.signatures,
                            "root (by its own keys)"));
  // 5.3.5: exactly the next version.
  SHOAL_TRY(check_version(next.version, root_.version + 1, "root"));
  // 5.3.6: an intermediate root may have expired.
  bool rotated = !same_keys(root_.timestamp, root_, next.timestamp, next) ||
                 !same_keys(root_.snapshot, root_, next.snapshot, next);
  // 5.3.7: the new root is the trusted one.
  root_ = std::move(next);
  return rotated;
}

Result<void> TrustedMetadata::finish_root() const { return check_expiry(root_.expires, "root"); }

Result<void> TrustedMetadata::remember_timestamp(ByteView bytes) {
  SHOAL_ASSIGN(auto document, parse_timestamp(bytes, limits_));
  SHOAL_TRY(check_threshold(root_.timestamp, root_.keys, document.signed_bytes, document.signatures,
                            "timestamp"));
  old_timestamp_ = std::move(document.body);
  return {};
}

Result<Freshness> TrustedMetadata::update_timestamp(ByteView bytes) {
  SHOAL_ASSIGN(auto document, parse_timestamp(bytes, limits_));
  Timestamp& next = document.body;
  // 5.4.2: signatures.
  SHOAL_TRY(check_threshold(root_.timestamp, root_.keys, document.signed_bytes, document.signatures,
                            "timestamp"));
  Freshness freshness = Freshness::replaced;
  if (old_timestamp_) {
    // 5.4.3.1: never an older timestamp; an equal one is no error, and the old one stays.
    if (next.version < old_timestamp_->version)
      return fail(ErrorKind::metadata_rollback,
                  fmt::format("timestamp version {} is older than {}, which was trusted before",
                              next.version, old_timestamp_->version));
    if (next.version == old_timestamp_->version) {
      next = *old_timestamp_;
      freshness = Freshness::same;
    }
    // 5.4.3.2: nor an older snapshot.
    if (next.snapshot.version < old_timestamp_->snapshot.version)
      return fail(ErrorKind::metadata_rollback,
                  fmt::format("the timestamp names snapshot {}, older than {} before",
                              next.snapshot.version, old_timestamp_->snapshot.version));
  }
  // 5.4.4: freeze attack.
  SHOAL_TRY(check_expiry(next.expires, "timestamp"));
  timestamp_ = std::move(next);
  return freshness;
}

Result<void> TrustedMetadata::remember_snapshot(ByteView bytes) {
  SHOAL_ASSIGN(auto document, parse_snapshot(bytes, limits_));
  SHOAL_TRY(check_threshold(root_.snapshot, root_.keys, document.signed_bytes, document.signatures,
                            "snapshot"));
  old_snapshot_ = std::move(document.body);
  return {};
}

Result<void> TrustedMetadata::update_snapshot(ByteView bytes) {
  if (!timestamp_)
    return fail(ErrorKind::internal, "update the snapshot: there is no timestamp yet");
  // 5.5.2: length and hashes, as the timestamp has them.
  SHOAL_TRY(check_file(bytes, timestamp_->snapshot.length, timestamp_->snapshot.hashes,
                       "snapshot metadata"));
  SHOAL_ASSIGN(auto document, parse_snapshot(bytes, limits_));
  Snapshot& next = document.body;
  // 5.5.3: signatures.
  SHOAL_TRY(check_threshold(root_.snapshot, root_.keys, document.signed_bytes, document.signatures,
                            "snapshot"));
  // 5.5.4: mix-and-match.
  SHOAL_TRY(check_version(next.version, timestamp_->snapshot.version, "snapshot"));
  // 5.5.5: no role goes back or vanishes.
  if (old_snapshot_) {
    for (const auto& [role, old] : old_snapshot_->meta) {
      auto found = next.meta.find(role);
      if (found == next.meta.end())
        return fail(ErrorKind::metadata_rollback,
                    fmt::format("the new snapshot no longer lists the role '{}'", role));
      if (found->second.version < old.version)
        return fail(ErrorKind::metadata_rollback,
                    fmt::format("the new snapshot lists '{}' with version {}, older than {}", role,
                                found->second.version, old.version));
    }
  }
  // 5.5.6: freeze attack.
  SHOAL_TRY(check_expiry(next.expires, "snapshot"));
  snapshot_ = std::move(next);
  return {};
}

Result<void> TrustedMetadata::check_targets_signatures(const Document<Targets>& document,
                                                       const DelegationSearch::Step& step) const {
  if (step.delegator.empty())
    return check_threshold(root_.targets, root_.keys, document.signed_bytes, document.signatures,
                           step.role);
  const Targets* parent = targets(step.delegator);
  if (parent) {
    auto names_role = [&](const Delegation& entry) { return entry.role == step.role; };
    auto delegation = std::ranges::find_if(parent->delegations, names_role);
    if (delegation != parent->delegations.end())
      return check_threshold(delegation->keys, parent->keys, document.signed_bytes,
                             document.signatures, step.role);
  }
  return fail(ErrorKind::internal,
              fmt::format("'{}' is not delegated by '{}'", step.role, step.delegator));
}

Result<void> TrustedMetadata::update_targets(ByteView bytes, const DelegationSearch::Step& step) {
  if (!snapshot_) return fail(ErrorKind::internal, "update targets: there is no snapshot yet");
  auto meta = snapshot_->meta.find(step.role);
  if (meta == snapshot_->meta.end())
    return fail(ErrorKind::metadata_invalid,
                fmt::format("the snapshot does not list the role '{}'", step.role));
  // 5.6.2: length and hashes, as the snapshot has them.
  SHOAL_TRY(check_file(bytes, meta->second.length, meta->second.hashes, step.role + " metadata"));
  SHOAL_ASSIGN(auto document, parse_targets(bytes, step.role, limits_));
  // 5.6.3: signatures.
  SHOAL_TRY(check_targets_signatures(document, step));
  // 5.6.4: rollback and mix-and-match.
  SHOAL_TRY(check_version(document.body.version, meta->second.version, step.role));
  // 5.6.5: freeze attack.
  SHOAL_TRY(check_expiry(document.body.expires, step.role));
  targets_.insert_or_assign(step.chain(), std::move(document.body));
  return {};
}

const Targets* TrustedMetadata::targets(const std::string& chain) const {
  auto found = targets_.find(chain);
  return found == targets_.end() ? nullptr : &found->second;
}

}  // namespace shoal::trust
