// Staging: fills a folder beside the install (<library>/.shoal/staging/<change>/<component>/) from
// what this disk already has, and tells which pieces and blocks are still missing. Resumable: run
// again after a kill it finds what the earlier run had staged, by hashing it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/stop_token.hpp"
#include "base/worker_pool.hpp"
#include "install/delta_feed.hpp"
#include "install/plan.hpp"
#include "install/tree_image.hpp"

namespace shoal::install {

struct StagedComponent {
  std::shared_ptr<TreeImage> image;
  transfer::PieceSet have;     // complete and checked against their piece hashes
  transfer::BlockMap partial;  // blocks of the other pieces that are there (gap blocks included)
  std::optional<Error> delta_error;  // why the delta did not make all that it was to make
};

// The delta artifacts of the components that the plan gives that way, as they arrive, by component;
// null where there is none, or where it could not be had: such a component is staged by its
// recipes. Empty: none at all.
using DeltaFeeds = std::vector<std::shared_ptr<DeltaFeed>>;

struct Staging {
  RelativePath folder;  // of the whole change, beneath the library
  std::vector<StagedComponent> components;
  std::uint64_t reused_bytes = 0;       // taken from this disk
  std::uint64_t delta_bytes = 0;        // made by deltas, in this run or earlier
  std::uint64_t written_bytes = 0;      // by staging itself
  std::uint64_t resumed_bytes = 0;      // found staged by an earlier run
  std::uint64_t delta_found_bytes = 0;  // of what deltas make: not made again

  explicit Staging(RelativePath staging_folder) : folder(std::move(staging_folder)) {}
};

// Names of the steps at which the kill harness stops the process (see docs/testing.md).
using StepHook = std::function<void(std::string_view step)>;

// `library` must outlive the images. Blocking, with deltas for as long as these take to arrive; a
// thread that nobody else needs. Errors: disk_full, io_error, cancelled … (what was staged stays
// for the next run; discard_staging removes it), and a feed's failure.
Result<Staging> stage(const BeneathDir& library, const std::string& change, const Plan& plan,
                      WorkerPool& pool, const StopToken& stop, const StepHook& step = {},
                      const DeltaFeeds& deltas = {});

Result<void> discard_staging(const BeneathDir& library, const std::string& change);

// Verifies each staged file that StagedVerifier has not found right, against its merkle root
// through a fresh read of the file that will be renamed. Damaged files: the pieces that must be
// fetched again (by component), nothing else is lost. Empty: all is well, and the images take no
// writes any more.
struct StagedDamage {
  std::uint32_t component = 0;
  FileIndex file;
  std::vector<PieceIndex> pieces;
};
Result<std::vector<StagedDamage>> verify_staged(const BeneathDir& library, const Plan& plan,
                                                const Staging& staging, WorkerPool& pool,
                                                const StopToken& stop);

}  // namespace shoal::install
