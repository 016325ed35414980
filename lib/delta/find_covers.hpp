// Which old bytes each new file is made from: equal files first, and all others matched group by
// group, with the references in programs masked. Private to the encoder.
#pragma once

#include <vector>

#include "base/error.hpp"
#include "base/stop_token.hpp"
#include "delta/match_groups.hpp"
#include "delta/translation.hpp"
#include "delta/tree_side.hpp"

namespace shoal::delta {

// Covers of all new files, in order; positions are of the files one after another, on both sides.
// Files that stay as they are cost no search, and their old bytes are not searched either.
// `equal`: of the trees' files. `memory_bytes`: for copies and suffix arrays. Errors: cancelled.
Result<std::vector<Cover>> find_covers(const Side& old, const Side& fresh, const EqualFiles& equal,
                                       std::uint64_t memory_bytes, WorkerPool* workers,
                                       const StopToken& stop);

}  // namespace shoal::delta
