// Private to install: makes staged files out of old ones and a delta artifact, as it arrives.
// Nothing here is believed: what it makes counts once its pieces' hashes are right.
#pragma once

#include <optional>

#include "delta/artifact.hpp"
#include "install/delta_feed.hpp"
#include "install/stage.hpp"

namespace shoal::install {

struct DeltaWork {
  const BeneathDir& library;
  const Plan& plan;
  std::uint32_t component;         // of the plan; its FilePlan::by_delta say what is to be made
  const RelativePath& staging;     // the component's staging folder
  DeltaFeed& delta;                // the artifact, as it arrives
  TreeImage& image;                // of the component: written to
  const transfer::PieceSet& have;  // right already: not written again
  WorkerPool& pool;
  const StopToken& stop;
  const StepHook& step;
};

struct DeltaOutcome {
  std::vector<bool> made;  // by file: all of it is there
  std::uint64_t written_bytes = 0;
  std::uint64_t found_bytes = 0;  // of the files that it makes: right already, so not made again
  std::optional<Error> error;     // why some of them were not made, or not all groups
};

// Old files that are not what they were, and groups of the delta that cannot be decoded, cost the
// files that need them, no others: those are left to be fetched; and so it is with all that follows
// when the delta is given up. Waits for the delta. Errors: cancelled, what writing gives
// (disk_full, io_error), and the feed's failure.
Result<DeltaOutcome> apply_delta(const DeltaWork& work);

}  // namespace shoal::install
