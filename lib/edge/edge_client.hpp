// The CDN client: frames of bundles from several mirrors, as joined range requests; assembled,
// checked and handed over as whole pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "base/executor.hpp"
#include "base/log.hpp"
#include "transfer/edge.hpp"

namespace shoal::edge {

// Each limit with its reason; the defaults suit a client machine.
struct EdgeOptions {
  // Compressed and plain bytes of all pieces between request and callback: bounds our memory. One
  // piece is always allowed, however large.
  std::uint64_t max_in_flight_bytes = 32ULL << 20;
  // Requests to one mirror at a time: hides round trips without being rude to the server.
  std::uint32_t connections_per_mirror = 4;
  // One joined request: large enough that requests cost little, small enough to lose little.
  std::uint64_t max_request_bytes = 4ULL << 20;
  // A hole of this many unneeded bytes is cheaper to read over than a second request.
  std::uint64_t max_gap_bytes = 64ULL << 10;
  std::uint32_t connect_timeout_ms = 10'000;
  // A request without a byte for this long is broken off and what it lacks asked for again,
  // elsewhere if possible. A mirror that is usually slower to answer is given four times what is
  // usual for it, and each failure doubles it, up to low_speed_seconds.
  std::uint32_t silence_ms = 4'000;
  // Slower than this for this long is a stalled server. Low, since the link itself may be slow.
  std::uint32_t low_speed_bytes_per_s = 2'048;
  std::uint32_t low_speed_seconds = 15;
  // One request altogether: ends what trickles just above the low speed.
  std::uint32_t request_timeout_ms = 300'000;
  std::uint32_t max_redirects = 3;            // CDNs redirect once; loops end
  std::uint32_t backoff_first_ms = 250;       // a mirror's first failure; doubles each time
  std::uint32_t backoff_max_ms = 15'000;      // a mirror that returns is noticed within this time
  std::uint32_t backoff_patience_ms = 1'000;  // shorter backoffs are waited for, not reported
  // A piece that the mirrors answer for, but do not have, is tried again after this.
  std::uint32_t missing_retry_ms = 5'000;
  // So long a mirror is dropped; and pieces of which every mirror serves wrong bytes wait as long.
  std::uint32_t dropped_retry_ms = 600'000;
  std::uint64_t seed = 0;  // of the jitter; different on each machine
  std::string ca_file;     // PEM; empty: the system's certificate authorities
};

// `main_thread` runs the callbacks, `workers` decompress and hash; both and the log outlive the
// edge. Destroy it on the main thread: no callback comes afterwards. Errors: internal.
Result<std::unique_ptr<transfer::Edge>> make_edge(const EdgeOptions& options, Executor& main_thread,
                                                  Executor& workers, Log& log);

}  // namespace shoal::edge
