// Health is the throughput of recent requests (an exponential average), the failures in a row and
// a backoff with jitter. A mirror's score is what one more request could expect of it, so that load
// spreads over the mirrors as they deserve.
#include "edge/mirror_set.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace shoal::edge {
namespace {

constexpr double kNewSampleWeight = 0.3;  // an average over the last handful of requests
constexpr double kUnknownRate = 1e6;      // bytes per second, when no mirror has been tried
// A server may ask for patience, but not make us forget it.
constexpr std::uint32_t kMaxRetryAfterMs = 60'000;

bool contains(std::span<const MirrorId> list, MirrorId mirror) {
  return std::find(list.begin(), list.end(), mirror) != list.end();
}

}  // namespace

MirrorId MirrorSet::add(const std::string& base_url) {
  for (MirrorId id = 0; id < mirrors_.size(); ++id)
    if (mirrors_[id].status.url == base_url) return id;
  Mirror mirror;
  mirror.status.url = base_url;
  mirrors_.push_back(std::move(mirror));
  return static_cast<MirrorId>(mirrors_.size() - 1);
}

std::vector<transfer::MirrorStatus> MirrorSet::statuses() const {
  std::vector<transfer::MirrorStatus> all;
  for (const auto& mirror : mirrors_) all.push_back(mirror.status);
  return all;
}

MirrorSet::Choice MirrorSet::choose(std::span<const MirrorId> candidates,
                                    std::span<const MirrorId> except, std::uint64_t now_ms) const {
  // A mirror that was never asked is taken to be as good as the best known: so it is tried.
  double best_known = 0;
  for (auto id : candidates) best_known = std::max(best_known, mirrors_[id].rate_bytes_per_s);
  if (best_known == 0) best_known = kUnknownRate;

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
        choice = {kind, id, mirror.retry_at_ms};
      continue;
    }
    if (mirror.active >= limits_.connections) {
      if (choice.kind != Choice::Kind::ask) choice = {Choice::Kind::busy, id, 0};
      continue;
    }
    double rate = mirror.rate_bytes_per_s > 0 ? mirror.rate_bytes_per_s : best_known;
    double score = rate / (mirror.active + 1) / (mirror.failures + 1);
    if (choice.kind == Choice::Kind::ask && score <= best_score) continue;
    choice = {Choice::Kind::ask, id, 0};
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

void MirrorSet::succeeded(MirrorId id, std::uint64_t bytes, std::uint64_t elapsed_ms) {
  auto& mirror = mirrors_[id];
  --mirror.active;
  mirror.failures = 0;
  mirror.status.last_error.clear();
  double rate = static_cast<double>(bytes) * 1000 /
                static_cast<double>(std::max<std::uint64_t>(elapsed_ms, 1));
  auto& average = mirror.rate_bytes_per_s;
  average = average == 0 ? rate : average + kNewSampleWeight * (rate - average);
}

void MirrorSet::failed(MirrorId id, const RequestFailure& failure, std::uint64_t started_ms,
                       std::uint64_t now_ms) {
  auto& mirror = mirrors_[id];
  --mirror.active;
  mirror.status.last_error = failure.error.message;
  if (failure.fault == RequestFailure::Fault::object) return;
  bool same_incident = mirror.failures > 0 && started_ms <= mirror.last_failure_ms;
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

void MirrorSet::drop(MirrorId id, const std::string& why) {
  auto& mirror = mirrors_[id];
  ++mirror.status.wrong_pieces;
  mirror.status.dropped = true;
  mirror.status.last_error = why;
}

}  // namespace shoal::edge
