// The bounds on everything that a repository can make a client read, keep, compute or wait for.
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
  std::uint32_t delegation_depth = 32;          // the same, as one long chain
  std::uint32_t delegations_waiting = 1'024;    // the same, all of them matching: memory
  std::uint32_t delegations_per_role = 16'384;  // memory: a role of one file delegates to no end
  std::uint32_t targets_per_role = 100'000;     // memory: a role of one file names no end of files
  std::uint64_t pattern_bytes_per_role = 512 << 10;  // slow matching of paths
  std::uint32_t json_depth = 32;                     // stack exhaustion
  std::uint32_t json_values = 1'000'000;             // memory: a value is much larger than its text
  std::uint32_t mirrors_asked = 4;                   // mirrors that take turns in serving rubbish
  std::uint32_t slow_file_ms = 10'000;               // one that brings each file at the last moment
  std::uint32_t roots_asked_seconds = 24 * 3600;     // a new root hidden behind an old timestamp,
                                                     // which was stolen keys' and is good for years

  // Of the network, for those who implement Fetcher.
  std::uint32_t redirects = 3;             // redirects in a circle
  std::uint32_t file_ms = 120'000;         // slow reads: one file, some MiB on a slow link
  std::uint32_t slow_bytes_per_s = 1'024;  // slow reads: less than this …
  std::uint32_t slow_seconds = 15;         // … for this long
  std::uint32_t cycle_ms =
      2 * 3600 * 1000;  // slow reads, file after file: all that one Fetcher does

  // One key under another's id. Off only for repositories of other tools, which may make ids in
  // other ways; thresholds count key material either way.
  bool recompute_key_ids = true;
};

}  // namespace shoal::trust
