// Values to canonical JSON to signatures. The same structs as the parsers give, so that a publisher
// reads what is there, changes it, and signs the next version.
#include "trust/signing.hpp"

#include <sodium.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "trust/json.hpp"

namespace shoal::trust {
namespace {

using nlohmann::json;

json common(const char* type, std::uint64_t version, UtcSeconds expires) {
  return {{"_type", type},
          {"spec_version", "1.0.34"},
          {"version", version},
          {"expires", format_utc(expires)}};
}

json to_json(const Hashes& hashes) {
  json out = json::object();
  if (hashes.sha256) out["sha256"] = hashes.sha256->hex();
  if (!hashes.sha512.empty()) out["sha512"] = hashes.sha512;
  return out;
}

json to_json(const FileMeta& meta) {
  json out = {{"version", meta.version}};
  if (meta.length) out["length"] = *meta.length;
  if (meta.hashes.given) out["hashes"] = to_json(meta.hashes);
  return out;
}

json to_json(const RoleKeys& role) {
  return {{"keyids", role.key_ids}, {"threshold", role.threshold}};
}

json to_json(const KeyMap& keys) {
  json out = json::object();
  for (const auto& [id, key] : keys) out[id] = format_public_key(key);
  return out;
}

json to_json(const Delegation& delegation) {
  json out = to_json(delegation.keys);
  out["name"] = delegation.role;
  out["terminating"] = delegation.terminating;
  if (delegation.path_hash_prefixes.empty())
    out["paths"] = delegation.paths;
  else
    out["path_hash_prefixes"] = delegation.path_hash_prefixes;
  return out;
}

// Our own values hold no fractions, so there always is a canonical form.
std::string canonical(const json& value) {
  auto text = canonical_json(value);
  if (!text) std::abort();
  return *std::move(text);
}

Bytes sign(std::string_view signed_bytes, Signers signers) {
  std::vector<Signature> signatures;
  for (const auto* key : signers) signatures.push_back(sign_bytes(*key, signed_bytes));
  return join_signatures(signed_bytes, signatures);
}

}  // namespace

SigningKey SigningKey::generate() {
  if (sodium_init() < 0) std::abort();  // no randomness: nothing that we sign would be safe
  Seed seed;
  randombytes_buf(seed.data(), seed.size());
  SigningKey key = from_seed(seed);
  sodium_memzero(seed.data(), seed.size());
  return key;
}

SigningKey SigningKey::from_seed(const Seed& seed) {
  static_assert(crypto_sign_SECRETKEYBYTES == 64 && crypto_sign_SEEDBYTES == kSeedBytes);
  if (sodium_init() < 0) std::abort();
  SigningKey key;
  std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> point;
  crypto_sign_seed_keypair(point.data(), key.secret_.data(), seed.data());
  key.public_key_ = {"ed25519", "ed25519", to_hex(point)};
  key.id_ = key_id(key.public_key_);
  return key;
}

SigningKey::~SigningKey() { sodium_memzero(secret_.data(), secret_.size()); }

Bytes SigningKey::sign(ByteView message) const {
  Bytes signature(crypto_sign_BYTES);
  crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(), secret_.data());
  return signature;
}

SigningKey::Seed SigningKey::seed() const {
  Seed seed;
  crypto_sign_ed25519_sk_to_seed(seed.data(), secret_.data());
  return seed;
}

std::string signed_bytes_of(const Root& root) {
  json body = common("root", root.version, root.expires);
  body["consistent_snapshot"] = root.consistent_snapshot;
  body["keys"] = to_json(root.keys);
  body["roles"] = {{"root", to_json(root.root)},
                   {"timestamp", to_json(root.timestamp)},
                   {"snapshot", to_json(root.snapshot)},
                   {"targets", to_json(root.targets)}};
  return canonical(body);
}

std::string signed_bytes_of(const Timestamp& timestamp) {
  json body = common("timestamp", timestamp.version, timestamp.expires);
  body["meta"] = {{"snapshot.json", to_json(timestamp.snapshot)}};
  return canonical(body);
}

std::string signed_bytes_of(const Snapshot& snapshot) {
  json body = common("snapshot", snapshot.version, snapshot.expires);
  json& meta = body["meta"] = json::object();
  for (const auto& [role, entry] : snapshot.meta) meta[role + ".json"] = to_json(entry);
  return canonical(body);
}

std::string signed_bytes_of(const Targets& targets) {
  json body = common("targets", targets.version, targets.expires);
  json& files = body["targets"] = json::object();
  for (const auto& [path, target] : targets.targets)
    files[path] = {{"length", target.length}, {"hashes", to_json(target.hashes)}};
  if (!targets.delegations.empty()) {
    json roles = json::array();
    for (const auto& delegation : targets.delegations) roles.push_back(to_json(delegation));
    body["delegations"] = {{"keys", to_json(targets.keys)}, {"roles", std::move(roles)}};
  }
  return canonical(body);
}

Signature sign_bytes(const SigningKey& key, std::string_view signed_bytes) {
  return {key.id(), key.sign(as_bytes(signed_bytes))};
}

Bytes join_signatures(std::string_view signed_bytes, const std::vector<Signature>& signatures) {
  json list = json::array();
  for (const auto& signature : signatures)
    list.push_back({{"keyid", signature.key_id}, {"sig", to_hex(signature.value)}});
  // In the form of metadata_text().
  std::string out = "{\"signatures\":" + list.dump() + ",\"signed\":";
  out += signed_bytes;
  out += '}';
  return to_bytes(out);
}

Bytes sign_root(const Root& root, Signers signers) { return sign(signed_bytes_of(root), signers); }
Bytes sign_timestamp(const Timestamp& timestamp, Signers signers) {
  return sign(signed_bytes_of(timestamp), signers);
}
Bytes sign_snapshot(const Snapshot& snapshot, Signers signers) {
  return sign(signed_bytes_of(snapshot), signers);
}
Bytes sign_targets(const Targets& targets, Signers signers) {
  return sign(signed_bytes_of(targets), signers);
}

FileMeta describe_metadata(ByteView bytes, std::uint64_t version) {
  return {version, bytes.size(), Hashes{sha256(bytes), {}, true}};
}

TargetMeta describe_target(ByteView bytes) {
  return {bytes.size(), Hashes{sha256(bytes), {}, true}};
}

}  // namespace shoal::trust
