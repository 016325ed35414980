// The repository writer: changes become visible with the timestamp, which is written last and
// atomically. A publisher killed before that leaves the old state in force; the next one cleans up.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/worker_pool.hpp"
#include "publish/key_store.hpp"
#include "publish/layout.hpp"
#include "publish/release_builder.hpp"
#include "publish/state.hpp"

namespace shoal::publish {

// How long signed metadata stays good.
struct Lifetimes {
  std::chrono::days root{365};
  std::chrono::days targets{90};  // the top level and each product
  std::chrono::days snapshot{7};
  std::chrono::days timestamp{7};
  // refresh() signs anew what would expire within this part of its lifetime.
  int renew_in_last_percent = 50;
};

// Every write of the commit goes through this: tests stop it anywhere.
using WriteFile = std::function<Result<void>(const std::filesystem::path&, ByteView)>;

struct Environment {
  UtcSeconds now{};
  Lifetimes lifetimes{};
  WriteFile write;  // empty: write_file_atomic
};

struct InitReport {
  std::size_t keys_made = 0;
  std::map<std::string, std::string> key_ids;  // by name_of(KeyRole)
};

struct ReleaseRequest {
  std::filesystem::path tree;
  // product, version, component, …; trackers empty: the repository's. `earlier` is filled in.
  BuildOptions build;
  std::vector<std::string> channels;  // empty: "stable" for a new product, otherwise none
  content::Launch launch;
  // Patterns of paths ('*' and '?' stay within a folder) of files that are the user's to change.
  std::vector<std::string> config_patterns;       // FileClass::config
  std::vector<std::string> create_once_patterns;  // FileClass::create_once
};

struct ReleaseReport {
  bool nothing_to_do = false;         // exactly this was published before
  std::vector<std::string> channels;  // that now point at the version because of this call
  BuildStatistics statistics;
  std::vector<std::string> warnings;
};

struct RefreshReport {
  std::vector<std::string> renewed;   // role names
  std::vector<std::string> warnings;  // roles that are due, but whose key is not here
};

// Makes keys (those that are missing in the store) and an empty repository. Errors: conflict (a
// repository is there), invalid_request (the keys would be inside the repository, and served).
Result<InitReport> init_repository(const std::filesystem::path& root, KeyStore& keys,
                                   bool plain_keys, const content::RepositoryInfo& info,
                                   const Environment& environment);

// An existing repository, locked against other publishers for the object's lifetime.
class Repository {
 public:
  // Errors: not_found, conflict (another publisher is at work), and those of load_state.
  static Result<Repository> open(const std::filesystem::path& root, Environment environment);

  const State& state() const { return state_; }
  const Layout& layout() const { return layout_; }

  // Errors: those of build_release; conflict when the version is there with other content.
  Result<ReleaseReport> release(const ReleaseRequest& request, KeyStore& keys, WorkerPool& pool,
                                const BuildProgress& progress = {});
  // False when the channel pointed there already. Errors: not_found.
  Result<bool> set_channel(const std::string& product, const std::string& channel,
                           const std::string& version, KeyStore& keys);
  Result<RefreshReport> refresh(KeyStore& keys);

 private:
  // What a commit changes. Versions and expiry dates of the roles are set by the commit.
  struct Edit {
    std::vector<TargetFile> files;
    std::map<std::string, trust::Targets> products;
    std::optional<trust::Targets> targets;
  };

  Repository(Layout layout, UniqueFd lock, State state, Environment environment)
      : layout_(std::move(layout)),
        lock_(std::move(lock)),
        state_(std::move(state)),
        environment_(std::move(environment)) {}

  friend Result<InitReport> init_repository(const std::filesystem::path& root, KeyStore& keys,
                                            bool plain_keys, const content::RepositoryInfo& info,
                                            const Environment& environment);

  Result<void> commit(Edit edit, KeyStore& keys);
  Result<void> write(const std::filesystem::path& path, ByteView bytes) const;
  Result<void> write_role(const std::string& role, trust::Targets& body, KeyRole key_role,
                          const trust::RoleKeys& allowed, KeyStore& keys,
                          trust::Snapshot& snapshot) const;
  Result<void> renew_root(KeyStore& keys);
  bool is_due(UtcSeconds expires, std::chrono::days lifetime) const;
  // The product's role to be edited; makes the delegation when the product is new.
  Result<trust::Targets*> edit_product(Edit& edit, const std::string& product, KeyStore& keys);
  void put_target(Edit& edit, const std::string& product, TargetFile file) const;
  Result<std::vector<EarlierArtifact>> earlier_artifacts(const std::string& product,
                                                         const std::string& component_name) const;
  Result<content::ChannelList> channels_of(const std::string& product) const;

  Layout layout_;
  UniqueFd lock_;
  State state_;
  Environment environment_;
};

}  // namespace shoal::publish
