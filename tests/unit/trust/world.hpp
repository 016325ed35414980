// A client with a fake repository, disk and clock, for scenarios that name an attack: plain structs
// with faults to set. The repository has one delegated role, "game", beside the top-level ones.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "fake_repository.hpp"
#include "trust/metadata_store.hpp"

namespace shoal::trust::test {

// Every role whose file a client reads. All but "game" are described in the root.
inline constexpr const char* kEveryRole[] = {"root", "timestamp", "snapshot", "targets", "game"};

struct FakeDisk final : MetadataStore {
  std::map<std::string, Bytes> files;
  int changes_left = -1;  // then the machine has stopped: every change fails; -1: never
  int changes = 0;
  std::set<std::string> unreadable{};  // by a passing trouble: too many open files, say

  Result<Bytes> read(const std::string& name, std::uint64_t max_bytes) const override;
  Result<void> write(const std::string& name, ByteView bytes) override;
  Result<void> remove(const std::string& name) override;
  std::uint64_t version_of(const std::string& role) const;  // 0: not there

 private:
  Result<void> change();
};

struct World {
  explicit World(bool consistent_snapshot = true);

  FakeRepository repository;  // publishes version 5 of everything, then what a test does
  FakeDisk disk;
  UtcSeconds now = kNow;
  Limits limits{};
  bool asks_for_news = false;  // update() begins as a daemon's does, which remembers in `seen`
  Seen seen{};

  // A whole cycle that reads the file of every role: refresh, then "game/file".
  Result<void> update();
  Result<void> update_from(Fetcher& fetcher);
  Result<Bytes> download(const std::string& path);

  // What is served for the role now.
  std::string file_name(const std::string& role);
  Bytes& file(const std::string& role);
  std::uint64_t& version(const std::string& role);
  // The next honest version of everything, the root included.
  void advance();

  using Change = std::function<void(nlohmann::json&)>;
  // Changes what is signed and signs it again with the role's own keys: form and meaning are wrong,
  // not the signatures.
  void change_signed(const std::string& role, const Change& change);
  // Changes the whole document, {signed, signatures}, and signs nothing.
  void change_document(const std::string& role, const Change& change);
  // Changes how the one who delegates to it (the root or the top-level targets) describes the role,
  // with the key map beside it, signs that again and serves it.
  using ChangeRole = std::function<void(nlohmann::json& role, nlohmann::json& keys)>;
  void change_role(const std::string& role, const ChangeRole& change);
};

// A signature of the signed part by the key, as an entry of "signatures".
nlohmann::json signature_of(const nlohmann::json& signed_part, const SigningKey& key);

}  // namespace shoal::trust::test
