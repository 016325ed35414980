// Hashes and lengths are left out of snapshot and timestamp, as TUF allows: so it is signatures,
// versions and dates that must stop an attack, not the hash of the file above.
#include "world.hpp"

#include <fmt/core.h>

#include "trust/json.hpp"

namespace shoal::trust::test {

using nlohmann::json;

Result<void> FakeDisk::change() {
  if (changes_left == 0) return fail(ErrorKind::io_error, "the machine has stopped");
  if (changes_left > 0) --changes_left;
  ++changes;
  return {};
}

Result<Bytes> FakeDisk::read(const std::string& name, std::uint64_t max_bytes) const {
  if (unreadable.contains(name)) return fail(ErrorKind::io_error, name + ": too many open files");
  auto file = files.find(name);
  if (file == files.end()) return fail(ErrorKind::not_found, name);
  if (file->second.size() > max_bytes) return fail(ErrorKind::too_large, name);
  return file->second;
}

Result<void> FakeDisk::write(const std::string& name, ByteView bytes) {
  SHOAL_TRY(change());
  files[name] = Bytes(bytes.begin(), bytes.end());
  return {};
}

Result<void> FakeDisk::remove(const std::string& name) {
  if (!files.contains(name)) return {};
  SHOAL_TRY(change());
  files.erase(name);
  return {};
}

std::uint64_t FakeDisk::version_of(const std::string& role) const {
  auto file = files.find(role + ".json");
  return file == files.end() ? 0 : json::parse(file->second)["signed"]["version"].get<int>();
}

World::World(bool consistent_snapshot) {
  constexpr std::uint64_t kFirst = 5;
  repository.hashes_in_meta = false;
  repository.root.consistent_snapshot = consistent_snapshot;
  repository.root.version = kFirst;
  repository.delegate("targets", "game", {"game/*"});
  repository.add_target("game/file", "content", "game");
  for (auto role : {"timestamp", "snapshot", "targets", "game"}) version(role) = kFirst;
  repository.files.erase("metadata/1.root.json");
  repository.publish_root();
  repository.publish();
  disk.files["root.json"] = file("root");
}

Result<void> World::update_from(Fetcher& fetcher) {
  Updater updater(disk, "metadata/", "targets/", fetcher, now, limits);
  if (asks_for_news)
    SHOAL_TRY(updater.refresh_if_changed(seen));
  else
    SHOAL_TRY(updater.refresh());
  SHOAL_TRY(updater.find_target("game/file"));
  return {};
}

Result<void> World::update() { return update_from(repository); }

Result<Bytes> World::download(const std::string& path) {
  Updater updater(disk, "metadata/", "targets/", repository, now, limits);
  SHOAL_ASSIGN(auto target, updater.find_target(path));
  return updater.download_target(target);
}

std::uint64_t& World::version(const std::string& role) {
  if (role == "root") return repository.root.version;
  if (role == "timestamp") return repository.timestamp.version;
  if (role == "snapshot") return repository.snapshot.version;
  return repository.targets.at(role).version;
}

std::string World::file_name(const std::string& role) {
  if (role == "root") return fmt::format("metadata/{}.root.json", version(role));
  if (role == "timestamp") return "metadata/timestamp.json";
  return repository.metadata_name(role, version(role));
}

Bytes& World::file(const std::string& role) { return repository.files.at(file_name(role)); }

void World::advance() {
  ++repository.root.version;
  repository.publish_root();
  repository.advance();
}

json signature_of(const json& signed_part, const SigningKey& key) {
  auto bytes = canonical_json(signed_part).value();
  return {{"keyid", key.id()}, {"sig", to_hex(key.sign(as_bytes(bytes)))}};
}

void World::change_signed(const std::string& role, const Change& change) {
  auto document = json::parse(file(role));
  change(document["signed"]);
  document["signatures"] = json::array();
  bool signable = canonical_json(document["signed"]).has_value();  // not with a fraction in it
  for (const auto& key : repository.keys.at(role))
    document["signatures"].push_back(signature_of(signable ? document["signed"] : json(), key));
  file(role) = to_bytes(document.dump());
}

void World::change_document(const std::string& role, const Change& change) {
  auto document = json::parse(file(role));
  change(document);
  file(role) = to_bytes(document.dump());
}

void World::change_role(const std::string& role, const ChangeRole& change) {
  if (role == "game") {
    change_signed("targets", [&](json& targets) {
      auto& delegations = targets["delegations"];
      change(delegations["roles"][0], delegations["keys"]);
    });
  } else {
    change_signed("root", [&](json& root) { change(root["roles"][role], root["keys"]); });
  }
}

}  // namespace shoal::trust::test
