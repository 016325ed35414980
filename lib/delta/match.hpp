// Finds where new bytes come from. Private to the encoder: what it finds is a matter of size and
// speed, never of correctness.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/stop_token.hpp"
#include "delta/translation.hpp"

namespace shoal {
class WorkerPool;
}
namespace shoal::delta {

struct MatchOptions {
  // Of old bytes, how many may go into one suffix array (five bytes of memory for each).
  std::uint64_t suffix_bytes = 200ULL << 20;
};

// A file among bytes that stand one after another.
struct FileSpan {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
  bool program = false;  // or an object: small pieces of it are worth a cover
};

// Covers of `fresh` by `old`, in order of new position, without overlap in the new bytes, each
// within one new file. A cover's bytes are alike, not equal: at least half of them, in any stretch
// that was worth adding, are the same. Errors: cancelled.
Result<std::vector<Cover>> match(ByteView old, ByteView fresh,
                                 const std::vector<FileSpan>& fresh_files,
                                 const MatchOptions& options, WorkerPool* workers,
                                 const StopToken& stop);

// Long runs of equal bytes, in order, without overlap in the new bytes: every 64th old position is
// looked up by hash from every new one. Linear in time; 4 to 8 bytes of memory for 64 old bytes.
// Errors: cancelled.
Result<std::vector<Cover>> match_runs(ByteView old, ByteView fresh, const StopToken& stop);

}  // namespace shoal::delta
