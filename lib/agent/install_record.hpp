// What the state keeps of an install beside its row: the signed documents it was made from, and the
// stamps of its files. Enough to verify, repair, seed and plan an update without the network.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "content/manifest.hpp"
#include "content/repository_info.hpp"
#include "content/torrent.hpp"
#include "install/component.hpp"
#include "store/store.hpp"
#include "transfer/scheduler.hpp"
#include "transfer/swarm.hpp"

namespace shoal::agent {

// A delta with its signed companions.
struct LoadedDelta {
  std::shared_ptr<const content::DeltaArtifact> artifact;
  Bytes torrent;
  std::shared_ptr<const std::vector<Digest>> piece_hashes;
  std::shared_ptr<const content::EdgeIndex> index;
};

// One component of a release with its signed companions, parsed and as received.
struct LoadedComponent {
  install::TargetComponent target;
  transfer::ArtifactId artifact;
  Bytes torrent;
  Bytes index;
  Bytes recipes;
  std::optional<LoadedDelta> delta;  // from the version that is installed: see target.delta
};

struct LoadedRelease {
  std::string product;
  std::string version;
  bool allow_outside_links = false;
  content::Launch launch;
  Bytes release_json;
  std::vector<LoadedComponent> components;  // the selected ones
  std::vector<std::string> mirrors;         // base URLs
  std::vector<std::string> trackers;
  bool dht_allowed = false;
  // The publisher's, for where the machine has no choice of its own.
  transfer::Policy policy = transfer::Policy::fastest;
};

transfer::Policy to_transfer(content::EdgePolicy policy);

// Parses and cross-checks a component's companions: torrent, index and manifest must agree on
// geometry and info-hash. Errors: metadata_invalid, too_large.
Result<LoadedComponent> load_component(const content::Component& component, Bytes torrent,
                                       Bytes index, Bytes recipes);
// The same for a delta.
Result<LoadedDelta> load_delta(const content::DeltaArtifact& delta, Bytes torrent, ByteView index);

std::vector<store::Document> to_documents(const LoadedRelease& release,
                                          const std::vector<std::vector<FileStamp>>& stamps);

struct InstallRecord {
  LoadedRelease release;
  std::vector<std::vector<FileStamp>> stamps;
  bool all_components = true;  // nothing of the release was left out

  std::vector<install::InstalledComponent> installed() const;
};
// Errors: state_corrupt.
Result<InstallRecord> load_record(store::Store& store, std::int64_t install);
// Replaces only the stamps.
Result<void> save_stamps(store::Store& store, std::int64_t install, const LoadedRelease& release,
                         const std::vector<std::vector<FileStamp>>& stamps);

}  // namespace shoal::agent
