// One parser per role over a few checked accessors. Unknown members are kept in the signed bytes
// and otherwise ignored, as TUF 4.1 asks; a member that is known must have its right form, and what
// comes out cannot be invalid.
#include "trust/metadata.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/sha256.hpp"
#include "trust/json.hpp"

namespace shoal::trust {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxRoleNameBytes = 180;    // percent-encoded, with ".json" and a temporary
                                                  // suffix it stays within a file name's 255
constexpr std::size_t kMaxSignatureBytes = 4096;  // RSA with 16,384 bits needs 2048

std::unexpected<Error> invalid(std::string_view role, std::string_view why) {
  return fail(ErrorKind::metadata_invalid, fmt::format("{} metadata: {}", role, why));
}

// Reads members of one object; every message names the role.
class Object {
 public:
  Object(const json& object, std::string_view role) : object_(object), role_(role) {}

  Result<const json*> member(const char* name, json::value_t type) const {
    auto found = object_.find(name);
    if (found == object_.end() || found->type() != type)
      return invalid(role_, fmt::format("\"{}\" is missing or of the wrong type", name));
    return &*found;
  }
  Result<std::string> text(const char* name) const {
    SHOAL_ASSIGN(const auto* value, member(name, json::value_t::string));
    return value->get<std::string>();
  }
  Result<bool> boolean(const char* name) const {
    SHOAL_ASSIGN(const auto* value, member(name, json::value_t::boolean));
    return value->get<bool>();
  }
  // An integer from `lowest` to 2^53 - 1, what every JSON reader agrees on.
  Result<std::uint64_t> integer(const char* name, std::uint64_t lowest) const {
    constexpr std::uint64_t kHighest = (1ULL << 53) - 1;
    auto found = object_.find(name);
    if (found == object_.end() || !found->is_number_unsigned())
      return invalid(role_, fmt::format("\"{}\" is missing or no positive integer", name));
    auto value = found->get<std::uint64_t>();
    if (value < lowest || value > kHighest)
      return invalid(role_, fmt::format("\"{}\" is {}, out of range", name, value));
    return value;
  }
  bool has(const char* name) const { return object_.contains(name); }

 private:
  const json& object_;
  std::string_view role_;
};

struct Envelope {
  json document;  // keeps `signed_part` alive
  const json* signed_part = nullptr;
  std::string signed_bytes;
  std::vector<Signature> signatures;
  std::uint64_t version = 0;
  UtcSeconds expires{};
};

// Too much of something, by our own measure.
std::unexpected<Error> too_many(std::string_view role, std::string_view what, std::uint64_t count,
                                std::uint64_t allowed) {
  return fail(
      ErrorKind::too_large,
      fmt::format("{} metadata: {} {}, more than the {} allowed", role, count, what, allowed),
      "Tell the publisher.");
}

Result<std::vector<Signature>> parse_signatures(const json& list, std::string_view role,
                                                const Limits& limits) {
  if (list.size() > limits.signatures_per_role)
    return too_many(role, "signatures", list.size(), limits.signatures_per_role);
  std::vector<Signature> signatures;
  std::set<std::string> seen;
  for (const auto& entry : list) {
    if (!entry.is_object()) return invalid(role, "a signature is not an object");
    Object fields(entry, role);
    SHOAL_ASSIGN(auto id, fields.text("keyid"));
    SHOAL_ASSIGN(auto hex, fields.text("sig"));
    // TUF 4.2: a key id is unique among the signatures.
    if (!seen.insert(id).second) return invalid(role, "two signatures have one key id");
    if (hex.size() > 2 * kMaxSignatureBytes) return invalid(role, "a signature is too long");
    auto value = from_hex(hex);  // what is not hexadecimal verifies nothing
    signatures.push_back({std::move(id), value ? *std::move(value) : Bytes{}});
  }
  return signatures;
}

// "1.", then digits and dots: every minor version of TUF 1 is a match (4.3, SPEC_VERSION).
bool is_version_1(std::string_view text) {
  auto digit_or_dot = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
  return text.size() > 2 && text.starts_with("1.") && std::ranges::all_of(text, digit_or_dot);
}

// 4.2 and the common part of 4.3 to 4.6: _type, spec_version, version, expires.
Result<Envelope> open_envelope(ByteView bytes, std::string_view role, std::string_view type,
                               const Limits& limits) {
  Envelope out;
  SHOAL_ASSIGN(out.document, parse_json(bytes, limits.json_depth, fmt::format("{} metadata", role),
                                        limits.json_values));
  if (!out.document.is_object()) return invalid(role, "not a JSON object");
  Object fields(out.document, role);
  SHOAL_ASSIGN(out.signed_part, fields.member("signed", json::value_t::object));
  SHOAL_ASSIGN(const auto* signatures, fields.member("signatures", json::value_t::array));
  SHOAL_ASSIGN(out.signatures, parse_signatures(*signatures, role, limits));
  auto signed_bytes = canonical_json(*out.signed_part);
  if (!signed_bytes) return invalid(role, signed_bytes.error().message);
  out.signed_bytes = std::move(*signed_bytes);

  Object body(*out.signed_part, role);
  SHOAL_ASSIGN(auto actual_type, body.text("_type"));
  if (actual_type != type)
    return invalid(role, fmt::format("its type is \"{}\"", actual_type.substr(0, 40)));
  SHOAL_ASSIGN(auto specification, body.text("spec_version"));
  if (!is_version_1(specification))
    return fail(ErrorKind::unsupported_version,
                fmt::format("{} metadata follows TUF {}, this program TUF 1", role,
                            specification.substr(0, 20)));
  SHOAL_ASSIGN(out.version, body.integer("version", 1));
  SHOAL_ASSIGN(auto expires, body.text("expires"));
  auto expiry = parse_utc(expires);
  if (!expiry)
    return invalid(role, fmt::format("'{}' is not a time of the form 2026-11-22T12:30:00Z",
                                     expires.substr(0, 40)));
  out.expires = *expiry;
  return out;
}

Result<KeyMap> parse_keys(const json& object, std::string_view role, const Limits& limits) {
  // Many delegations, of one or two keys each, share the map.
  const std::uint64_t allowed = std::uint64_t{2} * limits.delegations_per_role;
  if (object.size() > allowed) return too_many(role, "keys", object.size(), allowed);
  KeyMap keys;
  for (const auto& [id, value] : object.items()) {
    SHOAL_ASSIGN(auto key, parse_public_key(value));
    // 4.3, KEYID: it must be the one of that key, so that no two keys ever share it.
    if (limits.recompute_key_ids) {
      SHOAL_ASSIGN(auto text, canonical_json(value));
      if (sha256(as_bytes(text)).hex() != id)
        return invalid(role, fmt::format("the key called \"{}\" has another id", id.substr(0, 64)));
    }
    keys.emplace(id, std::move(key));
  }
  return keys;
}

Result<std::vector<std::string>> parse_strings(const json& list, std::string_view role) {
  std::vector<std::string> out;
  out.reserve(list.size());
  for (const auto& entry : list) {
    if (!entry.is_string()) return invalid(role, "a list of strings holds something else");
    out.push_back(entry.get<std::string>());
  }
  return out;
}

Result<RoleKeys> parse_role_keys(const json& object, std::string_view role, const Limits& limits) {
  if (!object.is_object()) return invalid(role, "a role is not an object");
  Object fields(object, role);
  RoleKeys out;
  SHOAL_ASSIGN(const auto* ids, fields.member("keyids", json::value_t::array));
  if (ids->size() > limits.keys_per_role)
    return too_many(role, "keys of one role", ids->size(), limits.keys_per_role);
  SHOAL_ASSIGN(out.key_ids, parse_strings(*ids, role));
  std::set<std::string_view> seen(out.key_ids.begin(), out.key_ids.end());
  if (seen.size() != out.key_ids.size()) return invalid(role, "a role names a key twice");
  SHOAL_ASSIGN(auto threshold, fields.integer("threshold", 1));
  if (threshold > limits.keys_per_role) return invalid(role, "a role's threshold is absurd");
  out.threshold = static_cast<std::uint32_t>(threshold);
  return out;
}

Result<Hashes> parse_hashes(const json& object, std::string_view role) {
  constexpr std::size_t kSha512HexDigits = 128;
  if (!object.is_object()) return invalid(role, "\"hashes\" is not an object");
  Hashes out;
  out.given = true;
  for (const auto& [algorithm, value] : object.items()) {
    if (!value.is_string()) return invalid(role, "a hash is not a string");
    const auto& hex = value.get_ref<const std::string&>();
    if (algorithm == "sha256") {
      out.sha256 = Digest::from_hex(hex);
      if (!out.sha256) return invalid(role, "a sha256 is not 64 hexadecimal digits");
    } else if (algorithm == "sha512") {
      auto bytes = from_hex(hex);
      if (!bytes || hex.size() != kSha512HexDigits)
        return invalid(role, "a sha512 is not 128 hexadecimal digits");
      out.sha512 = to_hex(*bytes);
    }
  }
  return out;
}

Result<FileMeta> parse_file_meta(const json& object, std::string_view role) {
  if (!object.is_object()) return invalid(role, "an entry of \"meta\" is not an object");
  Object fields(object, role);
  FileMeta out;
  SHOAL_ASSIGN(out.version, fields.integer("version", 1));
  if (fields.has("length")) {
    SHOAL_ASSIGN(out.length, fields.integer("length", 0));
  }
  if (fields.has("hashes")) {
    SHOAL_ASSIGN(out.hashes, parse_hashes(object["hashes"], role));
  }
  return out;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// A delegated role must not take a top-level role's file, on any file system.
Result<void> check_delegated_name(std::string_view name, std::string_view role) {
  for (auto top : {"root", "timestamp", "snapshot", "targets"})
    if (equals_ignoring_case(name, top))
      return invalid(role, fmt::format("it delegates to a role called \"{}\"", name));
  if (name.empty() || encode_role_name(name).size() > kMaxRoleNameBytes)
    return invalid(role, "it delegates to a role whose name is empty or too long");
  return {};
}

Result<Delegation> parse_delegation(const json& object, std::string_view role,
                                    const Limits& limits) {
  Delegation out;
  SHOAL_ASSIGN(out.keys, parse_role_keys(object, role, limits));
  Object fields(object, role);
  SHOAL_ASSIGN(out.role, fields.text("name"));
  SHOAL_TRY(check_delegated_name(out.role, role));
  if (fields.has("terminating")) {  // missing in the specification's own example: then it is not
    SHOAL_ASSIGN(out.terminating, fields.boolean("terminating"));
  }
  if (fields.has("paths") == fields.has("path_hash_prefixes"))
    return invalid(role, "a delegation needs either \"paths\" or \"path_hash_prefixes\"");
  bool by_path = fields.has("paths");
  SHOAL_ASSIGN(const auto* list,
               fields.member(by_path ? "paths" : "path_hash_prefixes", json::value_t::array));
  SHOAL_ASSIGN((by_path ? out.paths : out.path_hash_prefixes), parse_strings(*list, role));
  return out;
}

Result<void> parse_delegations(const json& object, std::string_view role, const Limits& limits,
                               Targets& out) {
  if (!object.is_object()) return invalid(role, "\"delegations\" is not an object");
  Object fields(object, role);
  SHOAL_ASSIGN(const auto* keys, fields.member("keys", json::value_t::object));
  SHOAL_ASSIGN(out.keys, parse_keys(*keys, role, limits));
  SHOAL_ASSIGN(const auto* roles, fields.member("roles", json::value_t::array));
  if (roles->size() > limits.delegations_per_role)
    return too_many(role, "delegations", roles->size(), limits.delegations_per_role);
  std::set<std::string> seen;
  std::uint64_t pattern_bytes = 0;
  for (const auto& entry : *roles) {
    SHOAL_ASSIGN(auto delegation, parse_delegation(entry, role, limits));
    for (const auto* list : {&delegation.paths, &delegation.path_hash_prefixes})
      for (const auto& pattern : *list) pattern_bytes += pattern.size() + 1;
    if (pattern_bytes > limits.pattern_bytes_per_role)
      return too_many(role, "bytes of path patterns", pattern_bytes, limits.pattern_bytes_per_role);
    if (!seen.insert(delegation.role).second)
      return invalid(role, fmt::format("it delegates to \"{}\" twice", delegation.role));
    out.delegations.push_back(std::move(delegation));
  }
  return {};
}

}  // namespace

Result<Document<Root>> parse_root(ByteView bytes, const Limits& limits) {
  SHOAL_ASSIGN(auto envelope, open_envelope(bytes, "root", "root", limits));
  Object fields(*envelope.signed_part, "root");
  Root root;
  root.version = envelope.version;
  root.expires = envelope.expires;
  if (fields.has("consistent_snapshot")) {
    SHOAL_ASSIGN(root.consistent_snapshot, fields.boolean("consistent_snapshot"));
  } else {
    root.consistent_snapshot = false;  // TUF 4.3: optional
  }
  SHOAL_ASSIGN(const auto* keys, fields.member("keys", json::value_t::object));
  SHOAL_ASSIGN(root.keys, parse_keys(*keys, "root", limits));
  SHOAL_ASSIGN(const auto* roles, fields.member("roles", json::value_t::object));
  Object role_fields(*roles, "root");
  for (auto [name, role] : {std::pair{"root", &root.root},
                            {"timestamp", &root.timestamp},
                            {"snapshot", &root.snapshot},
                            {"targets", &root.targets}}) {
    SHOAL_ASSIGN(const auto* value, role_fields.member(name, json::value_t::object));
    SHOAL_ASSIGN(*role, parse_role_keys(*value, "root", limits));
  }
  return Document<Root>{std::move(root), std::move(envelope.signed_bytes),
                        std::move(envelope.signatures)};
}

Result<Document<Timestamp>> parse_timestamp(ByteView bytes, const Limits& limits) {
  SHOAL_ASSIGN(auto envelope, open_envelope(bytes, "timestamp", "timestamp", limits));
  Object fields(*envelope.signed_part, "timestamp");
  Timestamp timestamp;
  timestamp.version = envelope.version;
  timestamp.expires = envelope.expires;
  SHOAL_ASSIGN(const auto* meta, fields.member("meta", json::value_t::object));
  SHOAL_ASSIGN(const auto* snapshot,
               Object(*meta, "timestamp").member("snapshot.json", json::value_t::object));
  SHOAL_ASSIGN(timestamp.snapshot, parse_file_meta(*snapshot, "timestamp"));
  return Document<Timestamp>{std::move(timestamp), std::move(envelope.signed_bytes),
                             std::move(envelope.signatures)};
}

Result<Document<Snapshot>> parse_snapshot(ByteView bytes, const Limits& limits) {
  constexpr std::string_view kSuffix = ".json";
  SHOAL_ASSIGN(auto envelope, open_envelope(bytes, "snapshot", "snapshot", limits));
  Object fields(*envelope.signed_part, "snapshot");
  Snapshot snapshot;
  snapshot.version = envelope.version;
  snapshot.expires = envelope.expires;
  SHOAL_ASSIGN(const auto* meta, fields.member("meta", json::value_t::object));
  for (const auto& [name, value] : meta->items()) {
    if (!name.ends_with(kSuffix)) return invalid("snapshot", "an entry does not end with .json");
    SHOAL_ASSIGN(auto entry, parse_file_meta(value, "snapshot"));
    snapshot.meta.emplace(name.substr(0, name.size() - kSuffix.size()), std::move(entry));
  }
  return Document<Snapshot>{std::move(snapshot), std::move(envelope.signed_bytes),
                            std::move(envelope.signatures)};
}

Result<Document<Targets>> parse_targets(ByteView bytes, const std::string& role,
                                        const Limits& limits) {
  SHOAL_ASSIGN(auto envelope, open_envelope(bytes, role, "targets", limits));
  Object fields(*envelope.signed_part, role);
  Targets out;
  out.version = envelope.version;
  out.expires = envelope.expires;
  SHOAL_ASSIGN(const auto* targets, fields.member("targets", json::value_t::object));
  if (targets->size() > limits.targets_per_role)
    return too_many(role, "targets", targets->size(), limits.targets_per_role);
  for (const auto& [path, value] : targets->items()) {
    if (!value.is_object()) return invalid(role, "a target is not an object");
    Object entry(value, role);
    TargetMeta target;
    SHOAL_ASSIGN(target.length, entry.integer("length", 0));
    SHOAL_ASSIGN(const auto* hashes, entry.member("hashes", json::value_t::object));
    SHOAL_ASSIGN(target.hashes, parse_hashes(*hashes, role));
    out.targets.emplace(path, std::move(target));
  }
  if (fields.has("delegations"))
    SHOAL_TRY(parse_delegations((*envelope.signed_part)["delegations"], role, limits, out));
  return Document<Targets>{std::move(out), std::move(envelope.signed_bytes),
                           std::move(envelope.signatures)};
}

std::string encode_role_name(std::string_view role) {
  std::string out;
  for (char c : role) {
    bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace shoal::trust
