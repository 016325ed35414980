// The bounds on everything that a repository can make a client read, keep or compute.
#pragma once

#include <cstdint>

namespace shoal::trust {

// Each field names the attack it stops.
struct Limits {
  std::uint64_t root_bytes = 512 << 10;         // endless data
  std::uint64_t timestamp_bytes = 64 << 10;     // endless data
  std::uint64_t snapshot_bytes = 4 << 20;       // endless data, whatever length the timestamp gives
  std::uint64_t targets_bytes = 16 << 20;       // endless data, whatever length the snapshot gives
  std::uint64_t target_file_bytes = 256 << 20;  // a signed but absurd length
  std::uint32_t roots_per_update = 256;         // endless root chain
  std::uint32_t signatures_per_role = 256;      // slow verification
  std::uint32_t keys_per_role = 256;            // slow verification
  std::uint32_t delegations_visited = 64;       // delegation graphs without end
  std::uint32_t json_depth = 32;                // stack exhaustion
};

}  // namespace shoal::trust
