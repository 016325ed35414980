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
#include "publish/metadata_swap.hpp"
#include "publish/product.hpp"
#include "publish/proposal.hpp"
#include "publish/release_builder.hpp"
#include "publish/release_deltas.hpp"
#include "publish/state.hpp"

namespace shoal::publish {

// How long signed metadata stays good.
struct Lifetimes {
  std::chrono::days root{365};
  std::chrono::days targets{90};   // the top level and each product
  std::chrono::days snapshot{30};  // whoever holds one back is found out by the timestamp
  std::chrono::days timestamp{7};
  // refresh() signs anew what would expire within this part of its lifetime.
  int renew_in_last_percent = 50;
  // The timestamp's: at most once a day, and six days to notice that refresh() no longer runs.
  int renew_timestamp_in_last_percent = 86;
};

// What is about to be signed, in the words of a review, and with which of the keys at hand.
struct SigningNotice {
  std::vector<std::string> changes;  // one sentence each
  struct Key {
    std::string id, words;
    std::vector<std::string> roles;
  };
  std::vector<Key> keys;

  void add(const std::string& role, const std::vector<const trust::SigningKey*>& signers);
};

struct Environment {
  UtcSeconds now{};
  Lifetimes lifetimes{};
  // Every change of the disk in a commit goes through these: tests stop it anywhere.
  WriteFile write;               // empty: write_file_atomic
  BeforeChange before_change{};  // may be empty
  // Called before a root or a targets role is signed: a release, a channel, a delegation, a renewal
  // of those.
  std::function<void(const SigningNotice&)> about_to_sign{};  // may be empty
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
  DeltaRequest deltas;
  bool may_propose = false;  // see Repository
  StopToken stop;
};

struct ReleaseReport {
  bool nothing_to_do = false;         // exactly this was published before
  std::vector<std::string> channels;  // that now point at the version because of this call
  BuildStatistics statistics;
  std::vector<UpdateCost> updates;  // what it costs who has an earlier version
  std::vector<std::string> warnings;
  std::optional<Proposal> proposal;  // instead of publishing
};

// Of a change that may need more signatures than there are keys here.
struct ChangeReport {
  bool changed = true;               // false: it was so already
  std::optional<Proposal> proposal;  // instead of publishing
  std::vector<std::string> warnings;
};

struct RefreshOptions {
  bool all = false;  // not only snapshot and timestamp, but whatever is due and its keys are here
  bool may_propose = false;
};

struct RefreshReport {
  std::vector<std::string> renewed;   // role names; none: nothing was due
  std::vector<std::string> warnings;  // roles that are due, but that this call does not sign
  std::optional<Proposal> proposal;   // roles that are due and need more signatures
};

struct DelegateRequest {
  std::string product;
  std::vector<trust::PublicKey> keys;      // all that may sign from then on
  std::optional<std::uint32_t> threshold;  // none: as it is; 1 for a new product
  bool may_propose = false;
};

struct ApplyReport {
  std::vector<std::string> signed_anew;  // roles besides those of the proposal
  // False: a lost key could not sign along, so that a client in the middle of a refresh may be
  // refused once.
  bool seamless = true;
  std::vector<std::string> warnings;
};

// Makes keys (those that are missing in the store) and an empty repository; goes on where one was
// interrupted. Errors: conflict (a repository is there, or what is left of one), invalid_request
// (the keys would be inside the repository, and served).
Result<InitReport> init_repository(const std::filesystem::path& root, KeyStore& keys,
                                   bool plain_keys, const content::RepositoryInfo& info,
                                   const Environment& environment);

// An existing repository, locked against other publishers for the object's lifetime. A change of a
// targets role that the keys at hand cannot sign is refused, or, with `may_propose`, left in the
// repository unseen by clients and described by a proposal, to be signed elsewhere and applied;
// unless one with files of its own waits for that role already (conflict).
class Repository {
 public:
  // Errors: not_found, conflict (another publisher is at work), and those of load_state.
  static Result<Repository> open(const std::filesystem::path& root, Environment environment);

  const State& state() const { return state_; }
  const Layout& layout() const { return layout_; }

  // Errors: those of build_release; conflict when the version is there with other content.
  Result<ReleaseReport> release(const ReleaseRequest& request, KeyStore& keys, WorkerPool& pool,
                                const BuildProgress& progress = {});
  // Errors: not_found.
  Result<ChangeReport> set_channel(const std::string& product, const std::string& channel,
                                   const std::string& version, KeyStore& keys,
                                   bool may_propose = false);
  // Opens the snapshot's and the timestamp's keys only, unless `all`. Nothing is written when
  // nothing is due.
  Result<RefreshReport> refresh(KeyStore& keys, const RefreshOptions& options = {});
  // Says whose keys sign a product, new or not; what is published of it is signed anew when its
  // signatures would no longer do. Errors: invalid_request, not_allowed.
  Result<ChangeReport> delegate(const DelegateRequest& request, KeyStore& keys);
  // Publishes what a proposal of this repository holds. A root also gets a new timestamp, so that
  // clients that ask for that first learn of it; where its key is not here and not needed, that is
  // left to refresh(). Errors: signature_invalid (signatures are missing), conflict (something else
  // was published since, its files were cleaned away, one that waits with files of its own would
  // go, it is another repository's), not_allowed (the online keys are not here; the file system
  // cannot do what a lost key asks for).
  Result<ApplyReport> apply(const Proposal& proposal, KeyStore& keys);

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

  // Signs and publishes, or gives the proposal to be signed elsewhere.
  Result<std::optional<Proposal>> commit(Edit edit, KeyStore& keys, bool may_propose = false);
  // Errors: conflict: another proposal, made or applied, would make files go that a waiting one
  // needs. `applied` (null: none is) and its copies do not count.
  Result<void> check_none_waits(const std::vector<std::string>& roles,
                                const Proposal* applied = nullptr) const;
  // Removes what the state in force has made superfluous: proposals that can no longer be applied,
  // old metadata, and files. `bundles`: those, too, even where no proposal went. A failure is only
  // a warning: what was published before it is in force.
  void clean_up(bool bundles, std::vector<std::string>& warnings) const;
  // The lists of channels that the edit's files replace, by target path.
  Result<std::map<std::string, Bytes>> channels_in_force(const Edit& edit) const;
  Result<Proposal> leave_proposal(const Edit& edit, std::vector<ProposedRole> roles) const;
  // The edited roles at their next versions, not signed yet; `next` takes them over.
  std::vector<ProposedRole> next_roles(const Edit& edit, State& next) const;
  // Says what will be signed, then signs with the keys at hand. `published`: snapshot and timestamp
  // will be signed, too.
  Result<void> sign_roles(std::vector<ProposedRole>& roles, const Edit& edit, const State& next,
                          bool published, KeyStore& keys) const;
  Result<void> announce(const std::vector<ProposedRole>& roles, const Edit& edit, const State& next,
                        bool published, KeyStore& keys) const;
  Result<void> write_files(const std::vector<TargetFile>& files) const;
  // The files that make `next` the state in force: the roles, the snapshot if there is to be a new
  // one, and last the timestamp. Everything is signed before anything is written.
  Result<std::vector<MetadataFile>> sign_metadata(const std::vector<ProposedRole>& roles,
                                                  State& next, bool new_snapshot,
                                                  KeyStore& keys) const;
  Result<void> publish(State next, const std::vector<ProposedRole>& roles, bool new_snapshot,
                       KeyStore& keys);
  Result<void> write(const std::filesystem::path& path, ByteView bytes) const;
  Result<void> write_metadata(const std::vector<MetadataFile>& files) const;
  Result<void> renew_root(KeyStore& keys);
  // Whether there was a timestamp since the newest root, going by when the files were written.
  bool root_is_announced() const;
  Result<trust::Root> check_root(const Bytes& root) const;
  Result<void> check_is_ours(const Proposal& proposal) const;
  Result<ApplyReport> apply_root(const Proposal& proposal, KeyStore& keys);
  Result<ApplyReport> put_root_in_force(const Bytes& root, State next,
                                        const std::vector<ProposedRole>& roles, KeyStore& keys);
  Result<ApplyReport> apply_product(const Proposal& proposal, KeyStore& keys);
  Result<std::vector<ProposedRole>> take_over(const Proposal& proposal, State& next) const;
  bool ends_soon(UtcSeconds expires, std::chrono::days lifetime, int last_percent) const;
  bool is_due(UtcSeconds expires, std::chrono::days lifetime, int last_percent) const;
  // The product's role to be edited; makes the delegation when the product is new.
  Result<trust::Targets*> edit_product(Edit& edit, const std::string& product, KeyStore& keys);
  void put_target(Edit& edit, const std::string& product, TargetFile file) const;
  Result<std::vector<EarlierArtifact>> earlier_artifacts(const std::string& product,
                                                         const std::string& component_name) const;
  // Joins what was built with what is there of the version; true: it is all there already.
  Result<bool> complete(const ReleaseRequest& request, const BuildOptions& options,
                        const content::ChannelList& list, WorkerPool& pool, BuiltRelease& built,
                        ReleaseReport& report) const;
  Result<void> check_signers(const ReleaseRequest& request, KeyStore& keys);
  Result<content::ChannelList> channels_of(const std::string& product) const;

  Layout layout_;
  UniqueFd lock_;
  State state_;
  Environment environment_;
};

}  // namespace shoal::publish
