// Turns old files and a delta into new files, as the delta arrives.
#pragma once

#include <functional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/stop_token.hpp"
#include "delta/byte_source.hpp"

namespace shoal {
class WorkerPool;
}

namespace shoal::delta {

struct DecodeOptions {
  // The next bytes of the delta, exactly out.size(); may wait for them. On the calling thread.
  std::function<Result<void>(MutableByteView out)> read;
  // Bytes of a new file. From any thread, in any order within a block; each byte once.
  std::function<Result<void>(std::size_t file, std::uint64_t offset, ByteView bytes)> write;
  // Asked, on any thread, before a window, or all of a compressed member, is made: false leaves it
  // out, and the old bytes it is made from unread. Empty: all are wanted.
  std::function<bool(std::size_t file, std::uint64_t offset, std::uint64_t size)> wants;
  // Asked, on any thread, when a window's streams do not fit its prediction: true leaves the window
  // out, false ends it all. For callers that look what came out right. Empty: false.
  std::function<bool()> leaves_out;
  WorkerPool* workers = nullptr;  // windows in parallel; null: on the calling thread
  StopToken stop;
};

// Makes every new file that is not empty, but for what is left out. Memory: one block (16 MiB at
// most), the plans of a few parts, and about 4 MiB for each thread, 12 where it makes a compressed
// member. The outcome is to be verified
// by the caller. Errors: metadata_invalid, too_large, cancelled; and those of read, write and the
// sources.
Result<void> decode(const std::vector<const ByteSource*>& old_files,
                    const std::vector<std::uint64_t>& new_sizes, const DecodeOptions& options);

}  // namespace shoal::delta
