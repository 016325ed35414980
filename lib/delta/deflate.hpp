// Deflate streams, taken apart and put together again byte for byte: most compressed data in games
// was made by zlib, and the same settings make the same bytes again. Private to the codec.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal::delta {

// What zlib's deflateInit2 takes (RFC 1951 leaves the choice to the compressor).
struct DeflateSettings {
  std::uint8_t level = 6;         // 1 to 9
  std::uint8_t memory_level = 8;  // 1 to 9
  std::uint8_t window_bits = 15;  // 9 to 15
  std::uint8_t strategy = 0;      // 0 to 4

  bool operator==(const DeflateSettings&) const = default;
};
bool is_valid(const DeflateSettings& settings);

// Compresses a stream piece by piece; about 300 KB of memory.
class Deflater {
 public:
  using Write = std::function<Result<void>(ByteView packed)>;

  // `settings` are valid.
  explicit Deflater(const DeflateSettings& settings);
  // Packed bytes go to `write` as they come. Errors: write's.
  Result<void> add(ByteView plain, bool last, const Write& write);

 private:
  struct State;
  struct End {
    void operator()(State* state) const noexcept;
  };
  std::unique_ptr<State, End> state_;
};

// The stream that begins the bytes, if it is a whole one of at most `most` plain bytes.
struct Inflated {
  std::uint64_t packed_size = 0;
  std::uint64_t plain_size = 0;
  std::uint32_t adler32 = 1;  // of the plain bytes (RFC 1950)
  std::uint32_t crc32 = 0;    // of the same (RFC 1952)
};
std::optional<Inflated> inflate_scan(ByteView bytes, std::uint64_t most);

// Exactly `plain_size` bytes, from all of `packed`; empty: it does not hold them.
std::optional<Bytes> inflate_exactly(ByteView packed, std::uint64_t plain_size);

}  // namespace shoal::delta
