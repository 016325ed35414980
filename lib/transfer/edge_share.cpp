// Hill climbing with two moves. Raise: after a settling time the total must have grown by a good
// part of the step, or the step is undone. Lower: if the total falls by much less than the step,
// peers have filled it and the step stands. Both are tried less often the more often they failed.
#include "transfer/edge_share.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace shoal::transfer {
namespace {

constexpr std::uint64_t kSettleMs = 2'000;  // peers and TCP need this long to answer a change
constexpr std::uint64_t kDrainMs = 3'000;   // what the edge had to fetch anyway is still coming
constexpr std::uint64_t kSettleLowerMs = 3'000;  // what was asked for has to run dry first
constexpr double kRising = 0.1;                  // of a deficit, from one sample to the next
constexpr double kWorthwhile = 0.4;              // part of a step that must show in the total
constexpr double kTellingStep = 0.25;            // of the total
constexpr double kMinStep = 256.0 * 1024;        // bytes per second; below it noise decides
constexpr double kExploreStep = 1.0 / 8;       // of the total: what a look costs, if it was in vain
constexpr double kExploreGrowth = 3;           // a step that paid is followed by a larger one
constexpr std::uint64_t kFirstLookMs = 3'000;  // a new swarm needs this long to come up to speed
constexpr std::uint64_t kPauseFirstMs = 2'000;  // between moves of one kind; doubles when in vain
constexpr std::uint64_t kPauseMaxMs = 32'000;
constexpr std::uint64_t kKnowledgeMs = 60'000;  // how long a measured capacity is believed
constexpr double kForget = 0.998;               // of the capacity, each sample without proof
constexpr double kCorrect = 0.3;  // towards a lower total, each sample with an unlimited edge
constexpr double kSteady =
    0.1;  // difference between samples; rates are averages, the first ones rise

std::uint64_t next_pause(std::uint64_t pause_ms) {
  return pause_ms == 0 ? kPauseFirstMs : std::min(pause_ms * 2, kPauseMaxMs);
}

}  // namespace

void EdgeShare::sample(std::uint64_t now_ms, double peers, double edge, bool edge_unlimited,
                       bool may_explore) {
  double total = peers + edge;
  double rise = peers - std::exchange(last_peers_, peers);
  if (next_look_ms_ == 0) next_look_ms_ = now_ms + kFirstLookMs;
  learn(now_ms, total, edge_unlimited);
  if (!tuning_.fills) {
    rate_ = 0;
    mode_ = Mode::hold;
    return;
  }
  if (edge_unlimited) {  // nothing can be told apart now; and the deficit, if any, is not ours
    deficit_since_ms_ = 0;
    if (mode_ != Mode::hold) changed_ms_ = now_ms;
    return;
  }
  switch (mode_) {
    case Mode::raised:
      if (now_ms >= changed_ms_ + kSettleMs) judge_raise(now_ms, total);
      break;
    case Mode::lowered:
      if (now_ms >= changed_ms_ + kSettleLowerMs) judge_lowering(now_ms, total);
      break;
    case Mode::hold:
      hold(now_ms, total, rise, may_explore);
      break;
  }
}

void EdgeShare::learn(std::uint64_t now_ms, double total, bool edge_unlimited) {
  capacity_ *= kForget;
  double before = std::exchange(unlimited_total_, edge_unlimited ? total : 0);
  if (edge_unlimited) last_unlimited_ms_ = now_ms;
  bool steady = before > 0 && std::abs(total - before) < kSteady * before;
  if (edge_unlimited && steady) {
    if (total < capacity_) capacity_ += kCorrect * (total - capacity_);
    capacity_known_until_ms_ = now_ms + kKnowledgeMs;
  }
  capacity_ = std::max(capacity_, total);
}

void EdgeShare::raise(std::uint64_t now_ms, double step, double total) {
  mode_ = Mode::raised;
  step_ = step;
  baseline_ = total;
  changed_ms_ = now_ms;
  rate_ += step;
}

void EdgeShare::lower(std::uint64_t now_ms, double step, double total) {
  mode_ = Mode::lowered;
  step_ = std::min(step, rate_);
  baseline_ = total;
  changed_ms_ = now_ms;
  rate_ -= step_;
}

void EdgeShare::judge_raise(std::uint64_t now_ms, double total) {
  mode_ = Mode::hold;
  deficit_since_ms_ = 0;
  if (total - baseline_ >= kWorthwhile * step_) {
    raise_pause_ms_ = 0;
    next_lower_ms_ = now_ms + kPauseFirstMs;
    double next = exploring_ ? step_ * kExploreGrowth : total * kExploreStep;
    exploring_ = now_ms >= capacity_known_until_ms_;
    if (exploring_) raise(now_ms, std::max(next, kMinStep), total);
    return;
  }
  // In vain: the link is full, or peers were squeezed out, or they became slower just now. So only
  // a large step says something about the link, and one trial is not believed at once.
  rate_ = std::max(0.0, rate_ - step_);
  double seen = std::max(total, baseline_) * 1.05;
  if (step_ >= kTellingStep * baseline_ && seen < capacity_) capacity_ = (capacity_ + seen) / 2;
  if (exploring_) capacity_known_until_ms_ = now_ms + kKnowledgeMs;
  exploring_ = false;
  raise_pause_ms_ = next_pause(raise_pause_ms_);
  next_raise_ms_ = now_ms + raise_pause_ms_;
}

void EdgeShare::judge_lowering(std::uint64_t now_ms, double total) {
  mode_ = Mode::hold;
  deficit_since_ms_ = 0;
  if (baseline_ - total < kWorthwhile * step_) {
    lower_pause_ms_ = 0;
    next_lower_ms_ = now_ms;  // go on
    return;
  }
  rate_ += step_;
  lower_pause_ms_ = next_pause(lower_pause_ms_);
  next_lower_ms_ = now_ms + lower_pause_ms_;
}

void EdgeShare::hold(std::uint64_t now_ms, double total, double rise, bool may_explore) {
  bool deficit = capacity_ > 0 && total < tuning_.fill_below * capacity_;
  // Peers that are just getting faster may fill it by themselves.
  if (rise > kRising * (capacity_ - total)) deficit = false;
  if (!deficit) deficit_since_ms_ = 0;
  if (deficit && deficit_since_ms_ == 0) deficit_since_ms_ = now_ms;
  bool known = now_ms < capacity_known_until_ms_ || now_ms < last_unlimited_ms_ + kDrainMs;
  if (deficit) {
    if (now_ms < deficit_since_ms_ + tuning_.grace_ms || now_ms < next_raise_ms_) return;
    exploring_ = false;
    raise(now_ms, std::max(tuning_.fill_to * capacity_ - total, kMinStep), total);
  } else if (rate_ > 0 && now_ms >= next_lower_ms_) {
    lower(now_ms, std::max(rate_ / 5, kMinStep), total);
  } else if (!known && may_explore && now_ms >= std::max(next_raise_ms_, next_look_ms_)) {
    exploring_ = true;
    raise(now_ms, std::max(total * kExploreStep, kMinStep), total);
  }
}

}  // namespace shoal::transfer
