// What each policy is willing to wait for, and how much of the link the edge may fill. A new policy
// is a name and a row here.
#pragma once

#include <cstdint>

#include "transfer/edge_share.hpp"

namespace shoal::transfer {

enum class Policy {
  fastest,   // the edge fills only what peers cannot
  balanced,  // between the two: waits a little longer for peers
  thrifty,   // a deadline; the edge only for what would miss it, or what no peer has
};

struct Patience {
  std::uint64_t missing_ms = 0;   // a piece that no peer has, before it is fetched as a must
  std::uint64_t takeover_ms = 0;  // the same, when another machine should fetch it
  std::uint64_t stall_ms = 0;     // nothing at all comes from peers
  double endgame_seconds = 0;     // of the link's capacity: how much is "the end"
  bool keeps_deadline = false;    // the edge adds what peers are short of the rate that is needed
  EdgeShareTuning share;
};

inline Patience patience_of(Policy policy) {
  switch (policy) {
    case Policy::fastest:
      return {0, 3'000, 3'000, 1.0, false, {true, 0.92, 1.0, 1'000}};
    case Policy::balanced:
      return {1'500, 8'000, 8'000, 0.5, false, {true, 0.5, 0.6, 6'000}};
    case Policy::thrifty:
      return {5'000, 30'000, 60'000, 0, true, {false, 0, 0, 0}};
  }
  return {};
}

}  // namespace shoal::transfer
