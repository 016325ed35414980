// How far two stretches of bytes are equal, eight bytes at a time: what matching spends most of its
// time on. Private to the encoder.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace shoal::delta {

static_assert(std::endian::native == std::endian::little, "equal_prefix() counts from the low end");

// The number of equal bytes from the beginning, at most `limit`.
inline std::uint64_t equal_prefix(const std::uint8_t* a, const std::uint8_t* b,
                                  std::uint64_t limit) {
  std::uint64_t at = 0;
  for (; limit - at >= 8; at += 8) {
    std::uint64_t left = 0;
    std::uint64_t right = 0;
    std::memcpy(&left, a + at, 8);
    std::memcpy(&right, b + at, 8);
    // The lowest bit is of the first byte.
    if (left != right) return at + static_cast<unsigned>(std::countr_zero(left ^ right)) / 8;
  }
  while (at < limit && a[at] == b[at]) ++at;
  return at;
}

}  // namespace shoal::delta
