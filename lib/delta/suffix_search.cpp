// Bisection of the suffix array (Manber and Myers 1990), begun at the suffixes with the same two
// first bytes. What both ends share with the text is not compared again, which keeps repeated
// content cheap.
#include "delta/suffix_search.hpp"

#include <divsufsort.h>

#include <algorithm>

#include "delta/equal_bytes.hpp"

namespace shoal::delta {
namespace {

constexpr std::size_t kPrefixes = 1 << 16;
constexpr std::size_t kNeighbours = 16;  // equally good places looked at, on either side

std::size_t prefix(const std::uint8_t* bytes) { return bytes[0] << 8 | bytes[1]; }

// Places in the bytes are far apart: waiting for one at a time would take most of a search.
void prefetch(const void* at) { __builtin_prefetch(at); }

}  // namespace

SuffixSearch::SuffixSearch(ByteView bytes)
    : bytes_(bytes), order_(bytes.size()), by_prefix_(kPrefixes + 1) {
  divsufsort(bytes_.data(), order_.data(), static_cast<saidx_t>(bytes_.size()));
  // Counted, and summed up. The last suffix has one byte only and stands before all that begin
  // with it.
  for (std::size_t i = 0; i + 1 < bytes_.size(); ++i) ++by_prefix_[prefix(bytes_.data() + i) + 1];
  if (!bytes_.empty()) ++by_prefix_[std::size_t{bytes_.back()} << 8];
  for (std::size_t i = 1; i <= kPrefixes; ++i) by_prefix_[i] += by_prefix_[i - 1];
}

std::uint64_t SuffixSearch::equal(std::size_t index, ByteView text, std::uint64_t known) const {
  const auto at = static_cast<std::uint64_t>(order_[index]);
  const std::uint64_t limit = std::min<std::uint64_t>(bytes_.size() - at, text.size());
  if (known >= limit) return limit;
  return known + equal_prefix(bytes_.data() + at + known, text.data() + known, limit - known);
}

SuffixSearch::Found SuffixSearch::longest(ByteView text, std::uint64_t wanted) const {
  if (text.size() < 2 || bytes_.empty()) return {};
  const std::size_t which = prefix(text.data());
  auto low = static_cast<std::size_t>(by_prefix_[which]);
  auto high = static_cast<std::size_t>(by_prefix_[which + 1]);
  if (low == high) return {};
  --high;
  std::uint64_t low_size = equal(low, text, 0);
  std::uint64_t high_size = low == high ? low_size : equal(high, text, 0);
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    // Of the next step, whichever way it goes.
    prefetch(&order_[low + (middle - low) / 2]);
    prefetch(&order_[middle + (high - middle) / 2]);
    const auto at = static_cast<std::uint64_t>(order_[middle]);
    const std::uint64_t size = equal(middle, text, std::min(low_size, high_size));
    if (size == text.size()) return nearest(middle, size, text, wanted);
    if (at + size >= bytes_.size() || bytes_[at + size] < text[size]) {
      low = middle;
      low_size = size;
    } else {
      high = middle;
      high_size = size;
    }
  }
  return low_size > high_size ? nearest(low, low_size, text, wanted)
                              : nearest(high, high_size, text, wanted);
}

SuffixSearch::Found SuffixSearch::nearest(std::size_t index, std::uint64_t size, ByteView text,
                                          std::uint64_t wanted) const {
  const auto distance = [&](std::uint64_t at) { return at < wanted ? wanted - at : at - wanted; };
  Found best{static_cast<std::uint64_t>(order_[index]), size};
  const std::size_t first = index - std::min(index, kNeighbours);
  const std::size_t last = std::min(index + kNeighbours, order_.size() - 1);
  for (std::size_t i = first; i <= last; ++i) prefetch(bytes_.data() + order_[i]);
  const auto matches = [&](std::size_t other) {
    if (equal(other, text.first(size), 0) < size) return false;
    const auto at = static_cast<std::uint64_t>(order_[other]);
    if (distance(at) < distance(best.at)) best.at = at;
    return true;
  };
  // Nothing is nearer than the wanted place itself.
  for (std::size_t i = index + 1; i <= last && best.at != wanted; ++i) {
    if (!matches(i)) break;
  }
  for (std::size_t i = index; i-- > first && best.at != wanted;) {
    if (!matches(i)) break;
  }
  return best;
}

}  // namespace shoal::delta
