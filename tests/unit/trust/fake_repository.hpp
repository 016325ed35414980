// A repository in memory that signs whatever a test sets, honest or not: a map of files behind the
// Fetcher interface, with faults.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "trust/signing.hpp"
#include "trust/updater.hpp"

namespace shoal::trust::test {

inline constexpr UtcSeconds kNow{std::chrono::seconds(1'800'000'000)};
inline constexpr std::chrono::hours kDay{24};

struct FakeRepository final : Fetcher {
  // What is served.
  std::map<std::string, Bytes> files;
  std::vector<std::string> requests;
  std::map<std::string, std::uint64_t> most_asked_for;  // bytes, by path
  std::set<std::string> broken;                         // network error
  bool ignores_limit = false;                           // answers with more than it was asked for

  // What will be signed next.
  Root root;
  Timestamp timestamp;
  Snapshot snapshot;
  std::map<std::string, Targets> targets;               // by role
  std::map<std::string, std::vector<SigningKey>> keys;  // by role
  bool hashes_in_meta = true;

  FakeRepository();

  Result<Bytes> fetch(std::uint32_t mirror, const std::string& path,
                      std::uint64_t max_bytes) override;

  // Signs and serves. publish() is all but the root, versions as they are set.
  void publish_root();
  void publish_role(const std::string& role);
  void publish_snapshot();
  void publish_timestamp();
  void publish();
  // The next honest version of everything: content, snapshot and timestamp.
  void advance();

  void add_target(const std::string& path, const std::string& content,
                  const std::string& role = "targets");
  Delegation& delegate(const std::string& from, const std::string& to,
                       std::vector<std::string> paths, bool terminating = false);
  // New keys for a top-level role; takes effect with the next root.
  void rotate(const std::string& role, int count = 1, std::uint32_t threshold = 1);
  RoleKeys& role_keys(const std::string& role);
  std::vector<const SigningKey*> signers(const std::string& role) const;
  std::string metadata_name(const std::string& role, std::uint64_t version) const;
};

}  // namespace shoal::trust::test
