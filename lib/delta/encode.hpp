// Makes a delta: the blocks that turn old files into new ones.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/stop_token.hpp"
#include "delta/file_costs.hpp"

namespace shoal {
class WorkerPool;
}
namespace shoal::delta {

struct EncodeOptions {
  // For matching, beside the files themselves; covers (24 bytes each) and about 64 bytes for each
  // file come on top. Less memory finds less where trees are larger than about 400 MB together.
  std::uint64_t memory_bytes = 2ULL << 30;
  // Packed bytes that zlib makes in a second of a processor here; compressed members that are
  // slower to make again stay closed, as fetching them takes less than applying would. 0: any.
  double pack_rate = 1e6;
  StopToken stop;
  // Null: all on the calling thread; the delta is the same, but for members as slow as pack_rate.
  WorkerPool* workers = nullptr;
  // Bytes of the delta, in order. Errors end the encoding.
  std::function<Result<void>(ByteView)> write;
  std::function<void(std::uint64_t bytes)> progress;  // new bytes encoded so far; may be empty
};

// What became of the new bytes; the four add up to all of them. Those of compressed members count
// as what they hold.
struct EncodeStatistics {
  std::uint64_t literal_bytes = 0;     // nothing old predicts them
  std::uint64_t difference_bytes = 0;  // covered, but not equal
  std::uint64_t reference_bytes = 0;   // of references, predicted right or not
  std::uint64_t equal_bytes = 0;
  std::uint64_t wrong_references = 0;
  std::uint64_t covers = 0;
  std::uint64_t members = 0;      // compressed ones that are made again from what they hold
  std::uint64_t delta_bytes = 0;  // written
  // Of them, by stream: plan, literals, reference gaps and errors, difference gaps and values.
  std::array<std::uint64_t, 6> stream_bytes{};
  std::vector<FileCost> files;  // by new file
};

// Old and new files in memory (mapped ones will do); all new ones that are not empty are made, in
// order. Errors: cancelled, and write's.
Result<EncodeStatistics> encode(const std::vector<ByteView>& old_files,
                                const std::vector<ByteView>& new_files,
                                const EncodeOptions& options);

}  // namespace shoal::delta
