// One repository, read through the trust module: what products it has, and a release with all its
// signed companions. Blocking; used by jobs. Cycles of one repository take turns. Metadata comes
// from the repository's address, and where that fails or serves what is refused, from its mirrors.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/context.hpp"
#include "agent/install_record.hpp"
#include "agent/repository_folder.hpp"
#include "agent/service.hpp"
#include "agent/target_cache.hpp"
#include "content/repository_info.hpp"
#include "trust/updater.hpp"

namespace shoal::agent {

struct ReleaseWanted {
  std::string product;
  std::optional<std::string> channel;  // used when there is no version
  std::optional<std::string> version;
  std::vector<std::string> components{};  // empty: all
  std::string installed{};                // the version that deltas should lead from; "": none
};

struct RepositoryContents {
  content::RepositoryInfo info;
  std::vector<std::pair<std::string, content::ChannelList>> products;
  std::vector<ProductProblem> problems;  // products that are not among those
};

class RepositoryClient {
 public:
  RepositoryClient(const Context& context, store::RepositoryRow row);

  const store::RepositoryRow& row() const { return row_; }
  // Takes the root to begin with. Errors: metadata_invalid, signature_invalid, conflict.
  Result<void> trust_root(ByteView root_json);
  // Refreshes the metadata and reads every product's channels. A product that is damaged or has
  // expired is a problem of its own; an unreachable mirror is an error of the whole. When nothing
  // is new since the last call, that is one request and a comparison, and nothing is read again.
  Result<RepositoryContents> contents();
  // Refreshes, resolves the channel, loads the release. not_found names what there is instead.
  Result<LoadedRelease> load(const ReleaseWanted& wanted);
  void clear();   // deletes what an earlier repository of this number left on the disk
  void forget();  // the same for good: a cycle that is still running keeps nothing more

 private:
  struct Cycle;
  // What contents() gave, of which metadata, and until when it may be said again.
  struct Known {
    Digest metadata;
    UtcSeconds good_until{};
    RepositoryContents contents;
  };
  Result<Cycle> begin();
  Result<RepositoryContents> read_contents();
  Result<Known> read_anew(Cycle& cycle);
  bool still_good(const Cycle& cycle) const;
  Result<LoadedRelease> read_release(const ReleaseWanted& wanted);
  Result<void> read_deltas(trust::Updater& updater, const std::string& installed,
                           LoadedRelease& loaded) const;
  std::filesystem::path folder() const;
  std::filesystem::path metadata_dir() const;
  std::vector<std::string> mirrors() const;

  const Context& context_;
  store::RepositoryRow row_;
  RepositoryFolder metadata_, targets_;
  TargetCache kept_;
  std::mutex cycle_;      // one update of the trusted metadata at a time; guards what follows
  std::string stand_in_;  // the mirror that answered where those before it did not; empty: none yet
  UtcSeconds stand_in_since_{};
  trust::Seen seen_;
  std::optional<Known> known_;
};

}  // namespace shoal::agent
