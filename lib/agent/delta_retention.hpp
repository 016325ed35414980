// How long a machine that was updated by a delta goes on offering it to others. Pure. All of the
// policy is here.
#pragma once

#include <chrono>
#include <cstdint>

#include "transfer/swarm.hpp"

namespace shoal::agent {

// Most machines of a crowd update within these.
inline constexpr std::chrono::hours kKeepDeltas{72};

struct Retention {
  transfer::Consent consent = transfer::Consent::denied;
  std::chrono::seconds age{};       // since the commit
  std::uint64_t bytes = 0;          // of the deltas
  std::uint64_t free_bytes = 0;     // of their disk
  std::chrono::hours limit{};       // the machine's choice; 0: keeps none
  std::uint64_t claimed_bytes = 0;  // of the free ones, by changes that have planned with them
};

bool is_worth_keeping(const Retention& deltas);

}  // namespace shoal::agent
