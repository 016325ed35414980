// The deltas that an install was updated by, kept to be offered to others: the files
// (install/kept_delta.hpp), and what the state has to say of them. Blocking; for jobs.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/artifact.hpp"
#include "agent/delta_retention.hpp"
#include "agent/install_record.hpp"

namespace shoal::agent {

// A fetched delta of a change, whole and out of the swarm.
struct FetchedDelta {
  std::string component;
  LoadedDelta loaded;
  std::shared_ptr<install::TreeImage> image;
};

// Before the commit of `release` on a machine with this consent: moves the deltas out of the
// change's staging folder if they are worth it, and gives the document that tells of them; the
// commit makes it durable. Deltas of other versions are removed. Errors: io_error.
struct KeepRequest {
  const BeneathDir* library = nullptr;
  std::string change;  // its staging folder
  transfer::Consent consent = transfer::Consent::denied;
  std::chrono::hours limit{};
  std::uint64_t claimed_bytes = 0;  // of the free ones, by other changes
};
Result<std::optional<store::Document>> keep_deltas(const Context& context,
                                                   const KeepRequest& request,
                                                   const LoadedRelease& release,
                                                   const std::vector<FetchedDelta>& fetched);

// Of an install, ready to be seeded.
struct KeptDeltas {
  std::string version;
  UtcSeconds since{};
  std::uint64_t bytes = 0;
  std::uint64_t free_bytes = 0;  // of their disk
  std::vector<std::shared_ptr<Artifact>> artifacts;
};
// None if no document tells of any. `dht`: whether this machine allows it. Errors: state_corrupt,
// io_error.
Result<std::optional<KeptDeltas>> load_kept_deltas(const Context& context,
                                                   const store::InstallRow& row,
                                                   const BeneathDir& library, bool dht);

// The document as it is, for a commit that leaves the version as it is. Nothing: there are none.
Result<std::optional<store::Document>> kept_deltas_document(store::Store& store,
                                                            std::int64_t install);

}  // namespace shoal::agent
