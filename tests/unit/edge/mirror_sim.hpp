// A fluid simulation of one download from several mirrors, with a real MirrorSet and FramePlanner:
// steps of 20 ms, each mirror's rate shared equally between its requests, a round trip before the
// first byte. It does what the Downloader does, without curl.
#pragma once

#include <cstdint>
#include <vector>

namespace shoal::test {

struct SimMirror {
  double rate = 0;  // bytes per second
  std::uint64_t first_byte_ms = 40;
  std::uint64_t stalls_ms = ~0ULL;    // sends nothing from then …
  std::uint64_t recovers_ms = ~0ULL;  // … until then
  double rate_later = 0;              // from changes_ms on
  std::uint64_t changes_ms = ~0ULL;
};

struct MirrorSimOptions {
  std::uint32_t frames = 256;
  std::uint32_t frame_bytes = 128 * 1024;
  // Frames that are known to be wanted at a time, as with a scheduler that asks piece by piece.
  std::uint32_t window_frames = 256;
  std::uint64_t stop_ms = 600'000;
};

struct MirrorSimResult {
  struct Mirror {
    std::uint64_t bytes = 0;
    std::uint64_t first_request_bytes = 0;
    std::uint32_t requests = 0;
    std::uint32_t most_at_once = 0;
  };
  std::vector<Mirror> mirrors;
  std::uint64_t finished_ms = 0;      // 0: not
  std::uint32_t stalled = 0;          // requests that were broken off because of silence …
  std::uint32_t overtaken = 0;        // … and because another mirror was faster
  std::uint64_t useless_bytes = 0;    // received, but of frames that were asked for again
  std::uint64_t longest_wait_ms = 0;  // from a frame's first request until it was there
};

MirrorSimResult simulate_mirrors(const MirrorSimOptions& options,
                                 const std::vector<SimMirror>& mirrors);

}  // namespace shoal::test
