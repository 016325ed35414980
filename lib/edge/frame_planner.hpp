// Joins wanted frames into range requests: pure.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "edge/range_response.hpp"

namespace shoal::edge {

using JobId = std::uint64_t;

// One frame that one job still needs.
struct WantedFrame {
  std::uint32_t bundle = 0;
  std::uint64_t offset = 0;  // in the bundle
  std::uint32_t size = 0;    // stored bytes, more than 0
  JobId job = 0;
  std::uint32_t frame = 0;  // of the job's piece

  auto operator<=>(const WantedFrame&) const = default;
  std::uint64_t end() const { return offset + size; }
};

// One request: frames of one bundle by offset. Two pieces with the same content share their bytes,
// so frames may overlap.
struct PlannedRange {
  std::uint32_t bundle = 0;
  ByteRange range;
  std::vector<WantedFrame> frames;
};

class FramePlanner {
 public:
  void add(const WantedFrame& frame) { bytes_ += wanted_.insert(frame).second ? frame.size : 0; }
  void remove(const WantedFrame& frame) { bytes_ -= wanted_.erase(frame) != 0 ? frame.size : 0; }
  bool empty() const { return wanted_.empty(); }
  std::uint64_t bytes() const { return bytes_; }  // of all that is wanted

  struct Limits {
    std::uint64_t max_request_bytes = 0;
    std::uint64_t max_gap_bytes = 0;  // unneeded bytes read over rather than asked around
  };
  // Takes `first` (which must be wanted) and what follows it in its bundle, as far as the limits
  // allow and `admit` (asked for every frame after the first) says yes.
  PlannedRange take(const WantedFrame& first, const Limits& limits,
                    const std::function<bool(const WantedFrame&)>& admit);

 private:
  std::set<WantedFrame> wanted_;  // by bundle and offset
  std::uint64_t bytes_ = 0;
};

}  // namespace shoal::edge
