// Which compressed members are matched by what they hold: new ones that are not in the old tree as
// they are, and that zlib makes again; and the old ones that they may be made from. Private to the
// encoder.
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "base/stop_token.hpp"
#include "delta/match_groups.hpp"
#include "delta/tree_side.hpp"

namespace shoal {
class WorkerPool;
}

namespace shoal::delta {

struct MemberOptions {
  std::uint64_t memory_bytes;  // for what they hold, of each side; those beyond stay closed
  double pack_rate;            // as EncodeOptions::pack_rate
};

// `equal`: of the trees' files. Errors: cancelled.
Result<void> open_members(Side& old, Side& fresh, const EqualFiles& equal,
                          const MemberOptions& options, WorkerPool* workers, const StopToken& stop);

}  // namespace shoal::delta
