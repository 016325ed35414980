// Giving a delta to others costs its machine room that it has to spare, or it is not done: consent,
// time and a disk with plenty of room all have to hold.
#include "agent/delta_retention.hpp"

namespace shoal::agent {
namespace {

// A disk with less room than this many times the deltas is its user's first.
constexpr std::uint64_t kFreeForEachByte = 10;
// A commit that is later than now, by more than this, was made under a wrong clock.
constexpr std::chrono::hours kClockError{24};

}  // namespace

bool is_worth_keeping(const Retention& deltas) {
  return deltas.bytes > 0 && deltas.consent != transfer::Consent::denied &&
         deltas.age > -kClockError && deltas.age < deltas.limit &&
         deltas.free_bytes > deltas.claimed_bytes &&
         (deltas.free_bytes - deltas.claimed_bytes) / kFreeForEachByte >= deltas.bytes;
}

}  // namespace shoal::agent
