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

constexpr const char* kNotTheirs =
    "Somebody may be forging metadata: try from another network, and if it stays so, tell the "
    "publisher.";
constexpr const char* kMixed =
    "The mirror's files do not belong together: try again, and if it stays so, tell the publisher.";

// "timestamp version 7": how messages call one file of metadata.
std::string name_of(std::string_view role, std::uint64_t version) {
  return fmt::format("{} version {}", role, version);
}

std::unexpected<Error> rollback(std::string_view what, std::string_view why) {
  return fail(ErrorKind::metadata_rollback, fmt::format("{}: rollback: {}", what, why));
}

Result<void> check_version(std::uint64_t version, std::uint64_t expected, std::string_view role) {
  if (version == expected) return {};
  std::string what = name_of(role, version);
  std::string why = fmt::format("version {} was promised", expected);
  if (version < expected) return rollback(what, why);
  return fail(ErrorKind::metadata_invalid, fmt::format("{}: mix and match: {}", what, why), kMixed);
}

// Signed by any one of the role's keys: see TrustedMetadata::remember_timestamp.
template <typename Body>
Result<void> check_kept(const RoleKeys& role, const KeyMap& keys, const Document<Body>& document) {
  RoleKeys any_one = role;
  any_one.threshold = 1;
  return check_threshold(any_one, keys, document.signed_bytes, document.signatures, "kept");
}

}  // namespace

Result<void> check_threshold(const RoleKeys& role, const KeyMap& keys,
                             std::string_view signed_bytes,
                             const std::vector<Signature>& signatures, std::string_view what) {
  std::set<Digest> signers;  // by key material: one key counts once, whatever its names
  for (const auto& signature : signatures) {
    if (std::ranges::find(role.key_ids, signature.key_id) == role.key_ids.end()) continue;
    auto key = keys.find(signature.key_id);
    if (key == keys.end()) continue;
    auto checked = check_signature(key->second, as_bytes(signed_bytes), signature.value);
    if (checked.check == SignatureCheck::good) signers.insert(checked.material);
    if (signers.size() >= role.threshold) return {};
  }
  return fail(ErrorKind::signature_invalid,
              fmt::format("{}: signatures: {} of the role's keys signed, {} must", what,
                          signers.size(), role.threshold),
              kNotTheirs);
}

Result<void> check_file(ByteView bytes, std::optional<std::uint64_t> length, const Hashes& hashes,
                        std::string_view name) {
  if (length && bytes.size() != *length)
    return fail(
        ErrorKind::verification_failed,
        fmt::format("{}: length: it has {} bytes, {} were signed", name, bytes.size(), *length));
  if (hashes.given && !hashes.sha256 && hashes.sha512.empty())
    return fail(ErrorKind::verification_failed,
                fmt::format("{}: hash: signed with no algorithm that is known", name));
  if ((hashes.sha256 && sha256(bytes) != *hashes.sha256) ||
      (!hashes.sha512.empty() && sha512_hex(bytes) != hashes.sha512))
    return fail(ErrorKind::verification_failed,
                fmt::format("{}: hash: it is not the one that was signed", name));
  return {};
}

Result<void> TrustedMetadata::check_expiry(UtcSeconds expires, std::string_view what) const {
  if (expires > now_) return {};
  return fail(ErrorKind::metadata_expired,
              fmt::format("{}: expiry: it was good until {}; it is {}", what, format_utc(expires),
                          format_utc(now_)));
}

Result<TrustedMetadata> TrustedMetadata::begin(ByteView root, UtcSeconds now,
                                               const Limits& limits) {
  SHOAL_ASSIGN(auto document, parse_root(root, limits));
  SHOAL_TRY(check_threshold(document.body.root, document.body.keys, document.signed_bytes,
                            document.signatures, name_of("root", document.body.version)));
  return TrustedMetadata(std::move(document.body), now, limits);
}

Result<bool> TrustedMetadata::update_root(ByteView bytes) {
  SHOAL_ASSIGN(auto document, parse_root(bytes, limits_));
  Root& next = document.body;
  // 5.3.4: signed by a threshold of the old root's keys and of its own.
  std::string what = name_of("root", next.version);
  SHOAL_TRY(check_threshold(root_.root, root_.keys, document.signed_bytes, document.signatures,
                            what + " (by the keys of the one before)"));
  SHOAL_TRY(check_threshold(next.root, next.keys, document.signed_bytes, document.signatures,
                            what + " (by its own keys)"));
  // 5.3.5: exactly the next version.
  SHOAL_TRY(check_version(next.version, root_.version + 1, "root"));
  // 5.3.6: an intermediate root may have expired.
  // 5.3.11: whether the timestamp and snapshot files must go.
  bool rotated = !same_keys(root_.timestamp, root_, next.timestamp, next) ||
                 !same_keys(root_.snapshot, root_, next.snapshot, next);
  // 5.3.7: the new root is the trusted one.
  root_ = std::move(next);
  return rotated;
}

bool TrustedMetadata::is_next_root(ByteView bytes) const {
  auto document = parse_root(bytes, limits_);
  return document && document->body.version == root_.version + 1 &&
         check_threshold(root_.root, root_.keys, document->signed_bytes, document->signatures,
                         "next")
             .has_value();
}

Result<void> TrustedMetadata::finish_root() const {
  // 5.3.10: freeze attack.
  return check_expiry(root_.expires, name_of("root", root_.version));
}

Result<void> TrustedMetadata::remember_timestamp(ByteView bytes) {
  SHOAL_ASSIGN(auto document, parse_timestamp(bytes, limits_));
  SHOAL_TRY(check_kept(root_.timestamp, root_.keys, document));
  old_timestamp_signed_ = check_threshold(root_.timestamp, root_.keys, document.signed_bytes,
                                          document.signatures, "kept")
                              .has_value();
  old_timestamp_ = std::move(document.body);
  return {};
}

Result<Freshness> TrustedMetadata::update_timestamp(ByteView bytes) {
  SHOAL_ASSIGN(auto document, parse_timestamp(bytes, limits_));
  Timestamp& next = document.body;
  std::string what = name_of("timestamp", next.version);
  // 5.4.2: signatures.
  SHOAL_TRY(check_threshold(root_.timestamp, root_.keys, document.signed_bytes, document.signatures,
                            what));
  Freshness freshness = Freshness::replaced;
  if (old_timestamp_) {
    // 5.4.3.1: never an older timestamp; an equal one is no error, and the old one stays.
    if (next.version < old_timestamp_->version)
      return rollback(what, fmt::format("version {} was trusted before", old_timestamp_->version));
    if (next.version == old_timestamp_->version && old_timestamp_signed_) {
      next = *old_timestamp_;
      freshness = Freshness::same;
    }
    // 5.4.3.2: nor an older snapshot.
    if (next.snapshot.version < old_timestamp_->snapshot.version)
      return rollback(what,
                      fmt::format("it names snapshot version {}, version {} was trusted before",
                                  next.snapshot.version, old_timestamp_->snapshot.version));
  }
  // 5.4.4: freeze attack.
  SHOAL_TRY(check_expiry(next.expires, what));
  timestamp_ = std::move(next);
  return freshness;
}

Result<void> TrustedMetadata::check_no_role_goes_back(const Snapshot& next) const {
  if (!old_snapshot_) return {};
  std::string what = name_of("snapshot", next.version);
  for (const auto& [role, old] : old_snapshot_->meta) {
    auto found = next.meta.find(role);
    if (found == next.meta.end())
      return rollback(what, fmt::format("it no longer lists the role '{}'", role));
    if (found->second.version < old.version)
      return rollback(what, fmt::format("it lists '{}' with version {}, version {} was trusted "
                                        "before",
                                        role, found->second.version, old.version));
  }
  return {};
}

Result<void> TrustedMetadata::check_snapshot(ByteView bytes,
                                             const Document<Snapshot>& document) const {
  const Snapshot& next = document.body;
  const FileMeta& promised = timestamp_->snapshot;
  std::string what = name_of("snapshot", next.version);
  // 5.5.2: length and hashes, as the timestamp has them.
  SHOAL_TRY(check_file(bytes, promised.length, promised.hashes, what));
  // 5.5.3: signatures.
  SHOAL_TRY(check_threshold(root_.snapshot, root_.keys, document.signed_bytes, document.signatures,
                            what));
  // 5.5.4: mix-and-match.
  SHOAL_TRY(check_version(next.version, promised.version, "snapshot"));
  // 5.5.5: no role goes back or vanishes.
  SHOAL_TRY(check_no_role_goes_back(next));
  // 5.5.6: freeze attack.
  return check_expiry(next.expires, what);
}

Result<bool> TrustedMetadata::remember_snapshot(ByteView bytes) {
  if (!timestamp_)
    return fail(ErrorKind::internal, "remember the snapshot: there is no timestamp yet");
  SHOAL_ASSIGN(auto document, parse_snapshot(bytes, limits_));
  SHOAL_TRY(check_kept(root_.snapshot, root_.keys, document));
  if (check_snapshot(bytes, document)) {
    snapshot_ = std::move(document.body);
    return true;
  }
  old_snapshot_ = std::move(document.body);
  return false;
}

Result<void> TrustedMetadata::update_snapshot(ByteView bytes) {
  if (!timestamp_)
    return fail(ErrorKind::internal, "update the snapshot: there is no timestamp yet");
  // 5.5.2, before anything is parsed: a quick way to refuse.
  const FileMeta& promised = timestamp_->snapshot;
  SHOAL_TRY(
      check_file(bytes, promised.length, promised.hashes, name_of("snapshot", promised.version)));
  SHOAL_ASSIGN(auto document, parse_snapshot(bytes, limits_));
  SHOAL_TRY(check_snapshot(bytes, document));
  snapshot_ = std::move(document.body);
  return {};
}

Result<void> TrustedMetadata::check_targets_signatures(const Document<Targets>& document,
                                                       const DelegationSearch::Step& step,
                                                       std::string_view what) const {
  if (step.delegator.empty())
    return check_threshold(root_.targets, root_.keys, document.signed_bytes, document.signatures,
                           what);
  const Targets* parent = targets(step.delegator);
  if (parent) {
    auto names_role = [&](const Delegation& entry) { return entry.role == step.role; };
    auto delegation = std::ranges::find_if(parent->delegations, names_role);
    if (delegation != parent->delegations.end())
      return check_threshold(delegation->keys, parent->keys, document.signed_bytes,
                             document.signatures, what);
  }
  return fail(ErrorKind::internal,
              fmt::format("'{}' is not delegated by '{}'", step.role, step.delegator));
}

Result<void> TrustedMetadata::update_targets(ByteView bytes, const DelegationSearch::Step& step) {
  if (!snapshot_) return fail(ErrorKind::internal, "update targets: there is no snapshot yet");
  auto meta = snapshot_->meta.find(step.role);
  if (meta == snapshot_->meta.end())
    return fail(ErrorKind::metadata_invalid,
                fmt::format("snapshot version {} does not list the role '{}'", snapshot_->version,
                            step.role));
  // 5.6.2: length and hashes, as the snapshot has them.
  SHOAL_TRY(check_file(bytes, meta->second.length, meta->second.hashes,
                       name_of(step.role, meta->second.version)));
  SHOAL_ASSIGN(auto document, parse_targets(bytes, step.role, limits_));
  // 5.6.3: signatures.
  std::string what = name_of(step.role, document.body.version);
  SHOAL_TRY(check_targets_signatures(document, step, what));
  // 5.6.4: rollback and mix-and-match.
  SHOAL_TRY(check_version(document.body.version, meta->second.version, step.role));
  // 5.6.5: freeze attack.
  SHOAL_TRY(check_expiry(document.body.expires, what));
  targets_.insert_or_assign(step.chain(), std::move(document.body));
  return {};
}

const Targets* TrustedMetadata::targets(const std::string& chain) const {
  auto found = targets_.find(chain);
  return found == targets_.end() ? nullptr : &found->second;
}

}  // namespace shoal::trust
