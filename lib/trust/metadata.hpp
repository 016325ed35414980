// The four kinds of metadata (TUF 4.3 to 4.6) as values that have been checked for form, but not
// yet for signatures, versions or dates: that is the verifier's.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/sha256.hpp"
#include "trust/keys.hpp"
#include "trust/limits.hpp"

namespace shoal::trust {

using KeyMap = std::map<std::string, PublicKey>;  // by key id

// Who may sign a role: no key id twice, threshold at least 1.
struct RoleKeys {
  std::vector<std::string> key_ids;
  std::uint32_t threshold = 1;
};

struct Signature {
  std::string key_id;
  Bytes value;
};

// Hashes of a file by algorithm; algorithms that are not known are left out.
struct Hashes {
  std::optional<Digest> sha256;
  std::string sha512;  // hexadecimal, lower case; "" when there is none
  bool given = false;  // whether the metadata names any hash, known or not
};

struct FileMeta {  // of a metadata file, in timestamp and snapshot
  std::uint64_t version = 0;
  std::optional<std::uint64_t> length;
  Hashes hashes;
};

struct TargetMeta {
  std::uint64_t length = 0;
  Hashes hashes;
};

struct Delegation {
  std::string role;
  RoleKeys keys;
  std::vector<std::string> paths;               // patterns; empty when prefixes are used
  std::vector<std::string> path_hash_prefixes;  // lower-case hexadecimal
  bool terminating = false;
};

struct Root {
  std::uint64_t version = 0;
  UtcSeconds expires{};
  bool consistent_snapshot = true;
  KeyMap keys;
  RoleKeys root, timestamp, snapshot, targets;
};

struct Timestamp {
  std::uint64_t version = 0;
  UtcSeconds expires{};
  FileMeta snapshot;
};

struct Snapshot {
  std::uint64_t version = 0;
  UtcSeconds expires{};
  std::map<std::string, FileMeta> meta;  // by role name, without ".json"
};

struct Targets {
  std::uint64_t version = 0;
  UtcSeconds expires{};
  std::map<std::string, TargetMeta> targets;
  KeyMap keys;                          // of the delegations
  std::vector<Delegation> delegations;  // in order of preference
};

// A parsed file: what it says, the bytes that its signatures cover, and the signatures.
template <typename Body>
struct Document {
  Body body;
  std::string signed_bytes;
  std::vector<Signature> signatures;
};

// Errors of all: metadata_invalid, too_large, unsupported_version (another TUF major version).
Result<Document<Root>> parse_root(ByteView bytes, const Limits& limits);
Result<Document<Timestamp>> parse_timestamp(ByteView bytes, const Limits& limits);
Result<Document<Snapshot>> parse_snapshot(ByteView bytes, const Limits& limits);
// `role` is for messages; delegated roles have the same form as the top-level one.
Result<Document<Targets>> parse_targets(ByteView bytes, const std::string& role,
                                        const Limits& limits);

// A delegated role's name as a file name and URL segment: everything but unreserved characters
// (RFC 3986) is percent-encoded.
std::string encode_role_name(std::string_view role);

}  // namespace shoal::trust
