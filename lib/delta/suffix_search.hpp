// Longest matches in old bytes, by their suffix array. Private to the encoder.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"

namespace shoal::delta {

class SuffixSearch {
 public:
  // At most INT32_MAX bytes, which stay the caller's. Memory: four bytes for each.
  explicit SuffixSearch(ByteView bytes);

  struct Found {
    std::uint64_t at = 0, size = 0;
  };
  // The longest prefix of the text that is in the bytes; of several places, one near `wanted`.
  Found longest(ByteView text, std::uint64_t wanted) const;

 private:
  std::uint64_t equal(std::size_t index, ByteView text, std::uint64_t known) const;
  Found nearest(std::size_t index, std::uint64_t size, ByteView text, std::uint64_t wanted) const;

  ByteView bytes_;
  std::vector<std::int32_t> order_;
  std::vector<std::int32_t> by_prefix_;  // first index in order_, by a suffix's first two bytes
};

}  // namespace shoal::delta
