// Who fetches which run of pieces from the edge when no peer has it: rendezvous hashing (Thaler and
// Ravishankar, 1996). Every machine computes the same answer from the same members, without a
// message; and when one leaves, only its runs move.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace shoal::transfer {

// A node's claim to a run: the highest claim owns it.
inline std::uint64_t claim(std::uint64_t node, std::uint32_t run) {
  std::uint64_t x = node ^ (0x9e3779b97f4a7c15ULL * (run + 1ULL));  // splitmix64's mixing
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// How many of the other nodes have a higher claim than `self`: 0 is the owner, 1 the next in line.
inline std::uint32_t rank_of(std::uint64_t self, std::span<const std::uint64_t> others,
                             std::uint32_t run) {
  std::uint64_t own = claim(self, run);
  return static_cast<std::uint32_t>(std::count_if(
      others.begin(), others.end(), [&](std::uint64_t node) { return claim(node, run) > own; }));
}

}  // namespace shoal::transfer
