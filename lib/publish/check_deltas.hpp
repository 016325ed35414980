// The part of the check that concerns a release's deltas. Private to `publish`.
#pragma once

#include "base/worker_pool.hpp"
#include "publish/state.hpp"

namespace shoal::publish {

struct DeltaCheckContext {
  const Layout& layout;
  const State& state;
  std::string product;
  WorkerPool* apply_on = nullptr;  // also decode it, and compare with the new version's files
};

// Whether a delta belongs to its release: torrent and index, the version that it leads from, and
// its head, which must fit both trees. Its files, for the check of its pieces. Errors: what is
// wrong.
Result<ArtifactFiles> check_delta(const DeltaCheckContext& context,
                                  const content::Component& component,
                                  const content::DeltaArtifact& delta);

}  // namespace shoal::publish
