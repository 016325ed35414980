// The mirrors of all artifacts, with their health; decides which one to ask next. Pure: time is
// handed in, randomness is seeded.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "edge/range_response.hpp"
#include "transfer/edge.hpp"

namespace shoal::edge {

using MirrorId = std::uint32_t;

struct MirrorLimits {
  std::uint32_t connections = 4;          // requests at a time, each mirror
  std::uint32_t backoff_first_ms = 250;   // after one failure; doubles with each further one
  std::uint32_t backoff_max_ms = 15'000;  // so that a mirror that returns is noticed soon
  // A mirror whose backoff ends within this time is waited for; otherwise the piece fails for now.
  std::uint32_t patience_ms = 1'000;
};

class MirrorSet {
 public:
  MirrorSet(const MirrorLimits& limits, std::uint64_t seed) : limits_(limits), random_(seed) {}

  // The mirror with that base URL (already checked); known ones keep their health.
  MirrorId add(const std::string& base_url);
  const std::string& url(MirrorId mirror) const { return mirrors_[mirror].status.url; }
  std::vector<transfer::MirrorStatus> statuses() const;
  bool dropped(MirrorId mirror) const { return mirrors_[mirror].status.dropped; }

  struct Choice {
    enum class Kind {
      ask,      // `mirror`, now
      busy,     // those that would do have all their connections in use
      wait,     // until `at_ms`: a mirror is in a short backoff
      failing,  // every one is in a longer backoff, at least until `at_ms`
      none,     // none is left
    };
    Kind kind = Kind::none;
    MirrorId mirror = 0;
    std::uint64_t at_ms = 0;
  };
  // The best of the candidates: highest expected share of throughput; earlier in the list when
  // equal. Those in `except` and dropped ones are passed over.
  Choice choose(std::span<const MirrorId> candidates, std::span<const MirrorId> except,
                std::uint64_t now_ms) const;
  // When the first of these that is not dropped may be asked again (0: now; empty: none is left).
  std::optional<std::uint64_t> earliest(std::span<const MirrorId> mirrors) const;

  void started(MirrorId mirror) { ++mirrors_[mirror].active; }
  void received(MirrorId mirror, std::uint64_t bytes) { mirrors_[mirror].status.bytes += bytes; }
  // Bytes and duration of a request that went well.
  void succeeded(MirrorId mirror, std::uint64_t bytes, std::uint64_t elapsed_ms);
  // `started_ms`: when the failed request began. Requests that were under way together and fail
  // together count as one failure.
  void failed(MirrorId mirror, const RequestFailure& failure, std::uint64_t started_ms,
              std::uint64_t now_ms);
  void aborted(MirrorId mirror) { --mirrors_[mirror].active; }  // by us: nobody's fault
  // It served wrong bytes: never asked again.
  void drop(MirrorId mirror, const std::string& why);
  // Bytes per second of one request to it, lately; 0: not known yet.
  double request_rate(MirrorId mirror) const { return mirrors_[mirror].rate_bytes_per_s; }

 private:
  struct Mirror {
    transfer::MirrorStatus status;
    std::uint32_t active = 0;
    std::uint32_t failures = 0;  // in a row
    std::uint64_t last_failure_ms = 0;
    std::uint64_t retry_at_ms = 0;
    double rate_bytes_per_s = 0;  // moving average over requests; 0: not known yet
  };

  MirrorLimits limits_;
  std::mt19937_64 random_;
  std::vector<Mirror> mirrors_;
};

}  // namespace shoal::edge
