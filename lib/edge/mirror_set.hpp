// The mirrors of all artifacts, with their health; decides which one to ask next, for how much, and
// when a request is better off elsewhere. Pure: time is handed in, randomness is seeded.
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
  std::uint32_t connections = 4;                 // requests at a time, each mirror
  std::uint64_t max_request_bytes = 4ULL << 20;  // one request
  std::uint32_t backoff_first_ms = 250;          // after one failure; doubles with each further one
  std::uint32_t backoff_max_ms = 15'000;         // so that a mirror that returns is noticed soon
  // A mirror whose backoff ends within this time is waited for; otherwise the piece fails for now.
  std::uint32_t patience_ms = 1'000;
  // A request without a byte for this long is stalled, on a mirror that usually answers at once …
  std::uint32_t silence_ms = 4'000;
  std::uint32_t max_silence_ms = 15'000;  // … and on any.
  // So long a mirror is dropped. It may have been the network's doing, and those that have been
  // well may be gone by then.
  std::uint32_t dropped_ms = 600'000;
};

class MirrorSet {
 public:
  MirrorSet(const MirrorLimits& limits, std::uint64_t seed) : limits_(limits), random_(seed) {}

  // The repository's mirror with that base URL (already checked); known ones keep their health.
  MirrorId add(std::int64_t repository, const std::string& base_url);
  const std::string& url(MirrorId mirror) const { return mirrors_[mirror].status.url; }
  std::vector<transfer::MirrorStatus> statuses() const;
  bool dropped(MirrorId mirror) const { return mirrors_[mirror].status.dropped; }

  struct Choice {
    enum class Kind {
      ask,      // `mirror`, now, for at most `bytes`
      busy,     // those that would do are busy, and the others too slow to be of help
      wait,     // until `at_ms`: a mirror is in a short backoff
      failing,  // every one is in a longer backoff, at least until `at_ms`
      none,     // none is left
    };
    Kind kind = Kind::none;
    MirrorId mirror = 0;
    std::uint64_t at_ms = 0;
    std::uint64_t bytes = 0;
  };
  // The best of the candidates: highest expected share of throughput; earlier in the list when
  // equal. Those in `except` and dropped ones are passed over. `open_bytes`: all that is wanted and
  // has not come yet; nobody is asked for what would come later than all of that.
  Choice choose(std::span<const MirrorId> candidates, std::span<const MirrorId> except,
                std::uint64_t open_bytes, std::uint64_t now_ms) const;
  // When the first of these that is not dropped may be asked again (0: now; empty: none is left).
  std::optional<std::uint64_t> earliest(std::span<const MirrorId> mirrors) const;

  // One request, from started() to one of the four ends.
  struct Ticket {
    MirrorId mirror = 0;
    std::uint64_t started_ms = 0;
    std::uint64_t bytes_before = 0;  // received from the mirror until then
  };
  Ticket started(MirrorId mirror, std::uint64_t now_ms);
  void received(MirrorId mirror, std::uint64_t bytes) { mirrors_[mirror].status.bytes += bytes; }
  // `silence_ms`: the longest time without a byte, the first one's included.
  void succeeded(const Ticket& request, std::uint64_t silence_ms, std::uint64_t now_ms);
  // Requests that were under way together and fail together count as one failure.
  void failed(const Ticket& request, const RequestFailure& failure, std::uint64_t now_ms);
  void overtaken(const Ticket& request, std::uint64_t now_ms);  // broken off: another is faster
  void aborted(const Ticket& request) { --mirrors_[request.mirror].active; }  // nobody's fault
  // It served wrong bytes of a piece, or so it seems: who published the piece may be to blame.
  void blame(MirrorId mirror, const std::string& why);
  // It is proven: not asked again, until forgive() finds that it was long ago.
  void drop(MirrorId mirror, const std::string& why, std::uint64_t now_ms);
  void forgive(MirrorId mirror, std::uint64_t now_ms);

  // How long a request to it may go without a byte before it counts as stalled.
  std::uint64_t silence_limit_ms(MirrorId mirror) const;
  // Whether the rest of a request would come much sooner from one of the candidates that is free.
  bool would_overtake(const Ticket& request, std::uint64_t received_bytes,
                      std::uint64_t remaining_bytes, std::span<const MirrorId> candidates,
                      std::span<const MirrorId> except, std::uint64_t now_ms) const;

 private:
  struct Mirror {
    transfer::MirrorStatus status;
    std::uint32_t active = 0;
    std::uint32_t failures = 0;  // in a row
    std::uint64_t last_failure_ms = 0;
    std::uint64_t retry_at_ms = 0;
    std::uint64_t dropped_at_ms = 0;
    double rate_bytes_per_s = 0;  // of all its requests together, lately; see known()
    std::uint64_t rate_until_ms = 0;
    double usual_silence_ms = 0;  // in requests that went well
  };
  // What those that would do have in common.
  struct Field {
    std::uint32_t mirrors = 0;  // that there are, whether they would do now or not
    double best_rate = 0;       // of those that can be asked at the moment; 0: none is known
    double total_rate = 0;
  };
  bool usable(MirrorId mirror, std::span<const MirrorId> except, std::uint64_t now_ms) const;
  static bool known(const Mirror& mirror, std::uint64_t now_ms) {
    return mirror.rate_bytes_per_s > 0 && now_ms < mirror.rate_until_ms;
  }
  Field survey(std::span<const MirrorId> candidates, std::span<const MirrorId> except,
               std::uint64_t now_ms) const;
  std::uint64_t request_bytes(const Mirror& mirror, const Field& field, std::uint64_t open_bytes,
                              std::uint64_t now_ms) const;
  void learn_rate(const Ticket& request, std::uint64_t now_ms);

  MirrorLimits limits_;
  std::mt19937_64 random_;
  std::vector<Mirror> mirrors_;
};

}  // namespace shoal::edge
