// The streams of a block, and their compression. Private to the codec.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal {
class WorkerPool;
}
namespace shoal::delta {

// What a delta says, by kind: like bytes together compress best.
enum class Stream : std::uint8_t {
  plan,               // parts, covers, windows
  literals,           // new bytes that nothing old predicts
  reference_gaps,     // how many references were predicted right before the next wrong one
  reference_errors,   // by how much
  difference_gaps,    // how many plain bytes are the old ones before the next that is not
  difference_values,  // new minus old
};
inline constexpr std::size_t kStreamCount = 6;

using Streams = std::array<Bytes, kStreamCount>;
inline Bytes& stream(Streams& streams, Stream which) {
  return streams[static_cast<std::size_t>(which)];
}
inline const Bytes& stream(const Streams& streams, Stream which) {
  return streams[static_cast<std::size_t>(which)];
}

// One stream of one block as the delta holds it.
struct PackedStream {
  std::uint8_t method = 0;  // kStored, or an LZMA properties byte (lc, lp, pb) plus one
  std::uint64_t plain_size = 0;
  Bytes bytes;
};
inline constexpr std::uint8_t kStored = 0;

// Whatever is shortest of several settings; in the order of the plain ones.
std::vector<PackedStream> pack_streams(const std::vector<ByteView>& plain, WorkerPool* workers);
// Errors: metadata_invalid when the bytes do not give exactly plain_size bytes.
Result<Bytes> unpack_stream(std::uint8_t method, std::uint64_t plain_size, ByteView packed);

}  // namespace shoal::delta
