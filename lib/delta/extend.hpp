// Turns exact matches into covers: a match grows over differing bytes as long as that pays.
// Private to the encoder.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "delta/translation.hpp"

namespace shoal::delta {

// Collects matches in order of new position and lets neighbours share what lies between them: each
// grows while, of the bytes added, more are equal than not, and where both would take the same
// bytes, the border goes where most are equal (Percival, "Naive Differences of Executable Code").
class CoverBuilder {
 public:
  // New positions in [begin, end) only.
  CoverBuilder(ByteView old, ByteView fresh, std::uint64_t begin, std::uint64_t end)
      : old_(old), fresh_(fresh), end_(end), free_begin_(begin) {}

  // new_begin ≥ that of the match before.
  void add(Cover match);
  // The last cover, grown to the end.
  std::vector<Cover> finish();

 private:
  std::uint64_t growth_forward(const Cover& cover, std::uint64_t limit) const;
  std::uint64_t growth_backward(const Cover& cover, std::uint64_t limit) const;
  void settle(Cover& left, Cover& right) const;
  void push();

  ByteView old_;
  ByteView fresh_;
  std::uint64_t end_;
  std::uint64_t free_begin_;  // first new position that no settled cover has
  Cover open_;                // the last match; size 0: none yet
  std::vector<Cover> covers_;
};

}  // namespace shoal::delta
