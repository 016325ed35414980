// Walks the wanted frames in the order of their place in the bundle, from the one that is due, and
// ends the range at the first large hole, at the size limit, or at a frame that is not admitted.
#include "edge/frame_planner.hpp"

#include <algorithm>
#include <cassert>

namespace shoal::edge {

PlannedRange FramePlanner::take(const WantedFrame& first, const Limits& limits,
                                const std::function<bool(const WantedFrame&)>& admit) {
  auto next = wanted_.find(first);
  assert(next != wanted_.end());
  PlannedRange plan{first.bundle, {first.offset, first.end()}, {}};
  while (next != wanted_.end() && next->bundle == plan.bundle) {
    std::uint64_t end = std::max(plan.range.end, next->end());
    if (next->offset > plan.range.end + limits.max_gap_bytes) break;
    if (end - plan.range.begin > limits.max_request_bytes && !plan.frames.empty()) break;
    if (!plan.frames.empty() && !admit(*next)) break;
    plan.range.end = end;
    plan.frames.push_back(*next);
    bytes_ -= next->size;
    next = wanted_.erase(next);
  }
  return plan;
}

}  // namespace shoal::edge
