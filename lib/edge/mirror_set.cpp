// Health is the throughput of recent requests (an exponential average), the failures in a row and
// a backoff with jitter. A mirror's score is what one more request could expect of it, so that load
// spreads over the mirrors as they deserve. What is not known is found out with one small request;
// a slow mirror is asked for as much as it can bring before the others have brought all the rest.
#include "edge/mirror_set.hpp"

#include <algorithm>

namespace shoal::edge {
namespace {

constexpr double kNewSampleWeight = 0.3;  // an average over the last handful of requests
constexpr double kUnknownRate = 1e6;      // bytes per second, when no mirror has been tried
// Rates change with the time of day and the network the machine is in: an old one has to be
// measured again before it counts.
constexpr std::uint64_t kRateKnownMs = 60'000;
// Asked of a mirror whose rate is not known, where there are others: one large frame.
constexpr std::uint64_t kProbeBytes = 256 * 1024;
// All requests to a mirror together should last about this long: a failure loses little, a time-out
// hits nobody unjustly, and no piece is late for long.
constexpr double kRequestSeconds = 5;
constexpr std::uint64_t kMinRequestBytes = 64 * 1024;  // less is not worth a request
// A request is taken from a mirror when another would need less than half of the time, and the gain
// is worth the bytes that are thrown away.
constexpr double kMuchSooner = 2;
constexpr double kWorthwhileSeconds = 0.5;
constexpr std::uint64_t kJudgedAfterMs = 500;  // until then a request's own rate says nothing
constexpr double kUsualSilences = 4;           // of them are no accident any more
constexpr double kSilenceDecay = 0.9;          // each request that went well
// A server may ask for patience, but not make us forget it.
constexpr std::uint32_t kMaxRetryAfterMs = 60'000;

bool contains(std::span<const MirrorId> list, MirrorId mirror) {
  return std::find(list.begin(), list.end(), mirror) != list.end();
}

}  // namespace

MirrorId MirrorSet::add(std::int64_t repository, const std::string& base_url) {
  for (MirrorId id = 0; id < mirrors_.size(); ++id)
    if (mirrors_[id].status.repository == repository && mirrors_[id].status.url == base_url)
      return id;
  Mirror mirror;
  mirror.status.repository = repository;
  mirror.status.url = base_url;
  mirrors_.push_back(std::move(mirror));
  return static_cast<MirrorId>(mirrors_.size() - 1);
}

std::vector<transfer::MirrorStatus> MirrorSet::statuses() const {
  std::vector<transfer::MirrorStatus> all;
  all.reserve(mirrors_.size());
  for (const auto& mirror : mirrors_) all.push_back(mirror.status);
  return all;
}

bool MirrorSet::usable(MirrorId id, std::span<const MirrorId> except, std::uint64_t now_ms) const {
  const auto& mirror = mirrors_[id];
  return !mirror.status.dropped && !contains(except, id) && mirror.retry_at_ms <= now_ms;
}

MirrorSet::Field MirrorSet::survey(std::span<const MirrorId> candidates,
                                   std::span<const MirrorId> except, std::uint64_t now_ms) const {
  Field field;
  for (auto id : candidates) {
    if (!mirrors_[id].status.dropped) ++field.mirrors;
    if (!usable(id, except, now_ms) || !known(mirrors_[id], now_ms)) continue;
    field.best_rate = std::max(field.best_rate, mirrors_[id].rate_bytes_per_s);
    field.total_rate += mirrors_[id].rate_bytes_per_s;
  }
  return field;
}

// How much one more request may ask of it; 0: nothing, for now.
std::uint64_t MirrorSet::request_bytes(const Mirror& mirror, const Field& field,
                                       std::uint64_t open_bytes, std::uint64_t now_ms) const {
  if (!known(mirror, now_ms)) {
    if (field.mirrors == 1) return limits_.max_request_bytes;
    return mirror.active == 0 ? std::min(kProbeBytes, limits_.max_request_bytes) : 0;
  }
  bool fastest = mirror.rate_bytes_per_s >= field.best_rate;
  double seconds = kRequestSeconds;
  if (!fastest) seconds = std::min(seconds, static_cast<double>(open_bytes) / field.total_rate);
  auto bytes = static_cast<std::uint64_t>(mirror.rate_bytes_per_s * seconds / limits_.connections);
  if (!fastest && bytes < kMinRequestBytes) return 0;
  return std::clamp(bytes, std::min(kMinRequestBytes, limits_.max_request_bytes),
                    limits_.max_request_bytes);
}

MirrorSet::Choice MirrorSet::choose(std::span<const MirrorId> candidates,
                                    std::span<const MirrorId> except, std::uint64_t open_bytes,
                                    std::uint64_t now_ms) const {
  auto field = survey(candidates, except, now_ms);
  Choice choice;
  double best_score = 0;
  for (auto id : candidates) {
    const auto& mirror = mirrors_[id];
    if (mirror.status.dropped || contains(except, id)) continue;
    if (mirror.retry_at_ms > now_ms) {
      bool soon = mirror.retry_at_ms <= now_ms + limits_.patience_ms;
      auto kind = soon ? Choice::Kind::wait : Choice::Kind::failing;
      if (choice.kind == Choice::Kind::ask || choice.kind == Choice::Kind::busy) continue;
      if (choice.kind == Choice::Kind::none || mirror.retry_at_ms < choice.at_ms)
        choice = {kind, id, mirror.retry_at_ms, 0};
      continue;
    }
    auto bytes =
        mirror.active < limits_.connections ? request_bytes(mirror, field, open_bytes, now_ms) : 0;
    if (bytes == 0) {
      if (choice.kind != Choice::Kind::ask) choice = {Choice::Kind::busy, id, 0, 0};
      continue;
    }
    // One that is not known may be as good as the best, but what is wanted first goes to the best.
    double guess = field.best_rate > 0 ? field.best_rate / 2 : kUnknownRate;
    double rate = known(mirror, now_ms) ? mirror.rate_bytes_per_s : guess;
    double score = rate / (mirror.active + 1) / (mirror.failures + 1);
    if (choice.kind == Choice::Kind::ask && score <= best_score) continue;
    choice = {Choice::Kind::ask, id, 0, bytes};
    best_score = score;
  }
  return choice;
}

std::optional<std::uint64_t> MirrorSet::earliest(std::span<const MirrorId> mirrors) const {
  std::optional<std::uint64_t> first;
  for (auto id : mirrors) {
    if (mirrors_[id].status.dropped) continue;
    first = std::min(first.value_or(UINT64_MAX), mirrors_[id].retry_at_ms);
  }
  return first;
}

MirrorSet::Ticket MirrorSet::started(MirrorId id, std::uint64_t now_ms) {
  ++mirrors_[id].active;
  return {id, now_ms, mirrors_[id].status.bytes};
}

// What came from the mirror while the request was under way, by whatever request: its throughput,
// however many share it.
void MirrorSet::learn_rate(const Ticket& request, std::uint64_t now_ms) {
  auto& mirror = mirrors_[request.mirror];
  auto bytes = static_cast<double>(mirror.status.bytes - request.bytes_before);
  auto elapsed_ms = std::max<std::uint64_t>(now_ms - request.started_ms, 1);
  double rate = std::max(bytes * 1000 / static_cast<double>(elapsed_ms), 1.0);
  auto& average = mirror.rate_bytes_per_s;
  average = known(mirror, now_ms) ? average + kNewSampleWeight * (rate - average) : rate;
  mirror.rate_until_ms = now_ms + kRateKnownMs;
}

void MirrorSet::succeeded(const Ticket& request, std::uint64_t silence_ms, std::uint64_t now_ms) {
  auto& mirror = mirrors_[request.mirror];
  --mirror.active;
  mirror.failures = 0;
  mirror.status.last_error.clear();
  mirror.usual_silence_ms =
      std::max(static_cast<double>(silence_ms), mirror.usual_silence_ms * kSilenceDecay);
  learn_rate(request, now_ms);
}

void MirrorSet::overtaken(const Ticket& request, std::uint64_t now_ms) {
  auto& mirror = mirrors_[request.mirror];
  --mirror.active;
  mirror.rate_until_ms = 0;  // what was known of it did not hold
  learn_rate(request, now_ms);
}

void MirrorSet::failed(const Ticket& request, const RequestFailure& failure, std::uint64_t now_ms) {
  auto& mirror = mirrors_[request.mirror];
  --mirror.active;
  mirror.status.last_error = failure.error.message;
  if (failure.fault == RequestFailure::Fault::object) return;
  bool same_incident = mirror.failures > 0 && request.started_ms <= mirror.last_failure_ms;
  if (same_incident) return;
  mirror.last_failure_ms = now_ms;
  mirror.rate_bytes_per_s /= 2;
  std::uint64_t backoff_ms = std::min<std::uint64_t>(
      static_cast<std::uint64_t>(limits_.backoff_first_ms) << std::min(mirror.failures, 16U),
      limits_.backoff_max_ms);
  ++mirror.failures;
  // Between half and the whole of it, so that many machines do not come back at once.
  backoff_ms -= random_() % (backoff_ms / 2 + 1);
  backoff_ms =
      std::max<std::uint64_t>(backoff_ms, std::min(failure.retry_after_ms, kMaxRetryAfterMs));
  mirror.retry_at_ms = now_ms + backoff_ms;
}

std::uint64_t MirrorSet::silence_limit_ms(MirrorId id) const {
  const auto& mirror = mirrors_[id];
  auto usual = static_cast<std::uint64_t>(mirror.usual_silence_ms * kUsualSilences);
  std::uint64_t limit = std::max<std::uint64_t>(limits_.silence_ms, usual);
  // It may be slow to answer for a reason, and others may be no better: more patience each time.
  limit <<= std::min(mirror.failures, 8U);
  return std::min<std::uint64_t>(limit, limits_.max_silence_ms);
}

bool MirrorSet::would_overtake(const Ticket& request, std::uint64_t received_bytes,
                               std::uint64_t remaining_bytes, std::span<const MirrorId> candidates,
                               std::span<const MirrorId> except, std::uint64_t now_ms) const {
  const auto& own = mirrors_[request.mirror];
  std::uint64_t elapsed_ms = now_ms - request.started_ms;
  double rate = 0;
  if (elapsed_ms >= kJudgedAfterMs)
    rate = static_cast<double>(received_bytes) * 1000 / static_cast<double>(elapsed_ms);
  else if (known(own, now_ms))
    rate = own.rate_bytes_per_s / own.active;
  else
    return false;
  auto remaining = static_cast<double>(remaining_bytes);
  return std::any_of(candidates.begin(), candidates.end(), [&](MirrorId id) {
    const auto& other = mirrors_[id];
    if (id == request.mirror || !usable(id, except, now_ms) || !known(other, now_ms) ||
        other.active >= limits_.connections)
      return false;
    double there_s = remaining * (other.active + 1) / other.rate_bytes_per_s;
    return remaining > rate * (kMuchSooner * there_s + kWorthwhileSeconds);
  });
}

void MirrorSet::blame(MirrorId id, const std::string& why) {
  ++mirrors_[id].status.wrong_pieces;
  mirrors_[id].status.last_error = why;
}

void MirrorSet::drop(MirrorId id, const std::string& why, std::uint64_t now_ms) {
  auto& mirror = mirrors_[id];
  mirror.status.dropped = true;
  mirror.status.last_error = why;
  mirror.dropped_at_ms = now_ms;
}

void MirrorSet::forgive(MirrorId id, std::uint64_t now_ms) {
  auto& mirror = mirrors_[id];
  if (now_ms - mirror.dropped_at_ms >= limits_.dropped_ms) mirror.status.dropped = false;
}

}  // namespace shoal::edge
