// Finds where new bytes come from. Private to the encoder: what it finds is a matter of size and
// speed, never of correctness.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/stop_token.hpp"
#include "delta/translation.hpp"

namespace shoal::delta {

struct MatchOptions {
  // Of old bytes, how many may go into one suffix array (nine bytes of memory for each).
  std::uint64_t suffix_bytes = 128ULL << 20;
};

// Covers of `fresh` by `old`, in order of new position, without overlap in the new bytes. A cover's
// bytes are alike, not equal: at least half of them, in any stretch that was worth adding, are the
// same. Errors: cancelled.
Result<std::vector<Cover>> match(ByteView old, ByteView fresh, const MatchOptions& options,
                                 const StopToken& stop);

// The two steps, for tests.
//
// Long runs: every 32nd old position is looked up by hash from every new one. Linear in time; one
// table entry (8 bytes) for 32 old bytes.
Result<std::vector<Cover>> match_blocks(ByteView old, ByteView fresh, const StopToken& stop);
// Short runs, in what `covers` leaves: a suffix array over the old bytes that none of them uses.
Result<std::vector<Cover>> match_suffixes(ByteView old, ByteView fresh, std::vector<Cover> covers,
                                          const MatchOptions& options, const StopToken& stop);

}  // namespace shoal::delta
