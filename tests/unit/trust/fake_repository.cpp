// Signs the structs as they are, without judging them: a test makes them wrong on purpose.
#include "fake_repository.hpp"

#include <fmt/core.h>

namespace shoal::trust::test {

FakeRepository::FakeRepository() {
  root.version = 1;
  root.expires = kNow + 365 * kDay;
  timestamp.version = snapshot.version = 1;
  timestamp.expires = snapshot.expires = kNow + 7 * kDay;
  for (auto role : {"root", "timestamp", "snapshot", "targets"}) rotate(role);
  targets["targets"].version = 1;
  targets["targets"].expires = kNow + 90 * kDay;
  publish_root();
  publish();
}

Result<Bytes> FakeRepository::fetch(std::uint32_t, const std::string& path,
                                    std::uint64_t max_bytes) {
  requests.push_back(path);
  most_asked_for[path] = max_bytes;
  if (broken.contains(path)) return fail(ErrorKind::network, "connection reset");
  auto file = files.find(path);
  if (file == files.end()) return fail(ErrorKind::not_found, path + ": 404");
  if (file->second.size() > max_bytes && !ignores_limit)
    return fail(ErrorKind::too_large, path + ": more bytes than asked for");
  return file->second;
}

RoleKeys& FakeRepository::role_keys(const std::string& role) {
  if (role == "root") return root.root;
  if (role == "timestamp") return root.timestamp;
  if (role == "snapshot") return root.snapshot;
  return root.targets;
}

void FakeRepository::rotate(const std::string& role, int count, std::uint32_t threshold) {
  auto& signing = keys[role];
  signing.clear();
  auto& allowed = role_keys(role);
  allowed = {{}, threshold};
  for (int i = 0; i < count; ++i) {
    signing.push_back(SigningKey::generate());
    root.keys[signing.back().id()] = signing.back().public_key();
    allowed.key_ids.push_back(signing.back().id());
  }
}

std::vector<const SigningKey*> FakeRepository::signers(const std::string& role) const {
  std::vector<const SigningKey*> out;
  for (const auto& key : keys.at(role)) out.push_back(&key);
  return out;
}

std::string FakeRepository::metadata_name(const std::string& role, std::uint64_t version) const {
  if (!root.consistent_snapshot) return fmt::format("metadata/{}.json", encode_role_name(role));
  return fmt::format("metadata/{}.{}.json", version, encode_role_name(role));
}

void FakeRepository::publish_root() {
  files[fmt::format("metadata/{}.root.json", root.version)] = sign_root(root, signers("root"));
}

void FakeRepository::publish_role(const std::string& role) {
  const auto& body = targets.at(role);
  Bytes bytes = sign_targets(body, signers(role));
  snapshot.meta[role] = describe_metadata(bytes, body.version);
  if (!hashes_in_meta) snapshot.meta[role] = FileMeta{body.version, {}, {}};
  files[metadata_name(role, body.version)] = std::move(bytes);
}

void FakeRepository::publish_snapshot() {
  Bytes bytes = sign_snapshot(snapshot, signers("snapshot"));
  timestamp.snapshot = describe_metadata(bytes, snapshot.version);
  if (!hashes_in_meta) timestamp.snapshot = FileMeta{snapshot.version, {}, {}};
  files[metadata_name("snapshot", snapshot.version)] = std::move(bytes);
}

void FakeRepository::publish_timestamp() {
  files["metadata/timestamp.json"] = sign_timestamp(timestamp, signers("timestamp"));
}

void FakeRepository::publish() {
  for (const auto& [role, body] : targets) publish_role(role);
  publish_snapshot();
  publish_timestamp();
}

void FakeRepository::advance() {
  for (auto& [role, body] : targets) ++body.version;
  ++snapshot.version;
  ++timestamp.version;
  publish();
}

void FakeRepository::add_target(const std::string& path, const std::string& content,
                                const std::string& role) {
  auto meta = describe_target(as_bytes(content));
  targets.at(role).targets[path] = meta;
  auto slash = path.rfind('/');
  std::string parent = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  std::string prefix = root.consistent_snapshot ? meta.hashes.sha256->hex() + "." : "";
  files["targets/" + parent + prefix + name] = to_bytes(content);
}

Delegation& FakeRepository::delegate(const std::string& from, const std::string& to,
                                     std::vector<std::string> paths, bool terminating) {
  if (!keys.contains(to)) keys[to].push_back(SigningKey::generate());
  const auto& key = keys[to].front();
  auto& body = targets[to];
  if (body.version == 0) {
    body.version = 1;
    body.expires = kNow + 90 * kDay;
  }
  auto& parent = targets.at(from);
  parent.keys[key.id()] = key.public_key();
  parent.delegations.push_back({to, {{key.id()}, 1}, std::move(paths), {}, terminating});
  return parent.delegations.back();
}

}  // namespace shoal::trust::test
