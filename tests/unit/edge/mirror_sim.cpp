// Each step: requests are started as long as a mirror would take one, bytes are handed out, frames
// completed, requests judged. Wanted frames are taken in order.
#include "mirror_sim.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "edge/frame_planner.hpp"
#include "edge/mirror_set.hpp"

namespace shoal::test {
namespace {

using edge::MirrorId;
using edge::MirrorSet;
using edge::WantedFrame;

constexpr std::uint64_t kStepMs = 20;

struct Request {
  MirrorSet::Ticket ticket;
  edge::PlannedRange plan;
  double received = 0;
  std::size_t next = 0;  // first frame that is not complete
  std::uint64_t last_byte_ms = 0;
  std::uint64_t silence_ms = 0;  // the longest so far

  double complete_bytes() const {
    return next == 0 ? 0 : static_cast<double>(plan.frames[next - 1].end() - plan.range.begin);
  }
};

class Simulation {
 public:
  Simulation(const MirrorSimOptions& options, const std::vector<SimMirror>& mirrors)
      : options_(options), links_(mirrors), asked_ms_(options.frames) {
    result_.mirrors.resize(mirrors.size());
    for (std::size_t i = 0; i < mirrors.size(); ++i)
      ids_.push_back(set_.add(1, "http://mirror" + std::to_string(i)));
  }

  MirrorSimResult run() {
    for (; now_ < options_.stop_ms && done_ < options_.frames; now_ += kStepMs) {
      want_more();
      start_requests();
      move_bytes();
      review();
    }
    if (done_ == options_.frames) result_.finished_ms = now_;
    return result_;
  }

 private:
  WantedFrame frame(std::uint32_t number) const {
    return {0, std::uint64_t{number} * options_.frame_bytes, options_.frame_bytes, number, 0};
  }
  void want(std::uint32_t number) {
    planner_.add(frame(number));
    waiting_.insert(number);
  }
  void want_more() {
    while (wanted_ < options_.frames && wanted_ - done_ < options_.window_frames) want(wanted_++);
  }

  std::uint64_t open_bytes() const { return std::uint64_t{wanted_ - done_} * options_.frame_bytes; }

  void start_requests() {
    while (!waiting_.empty()) {
      auto choice = set_.choose(ids_, {}, open_bytes(), now_);
      if (choice.kind != MirrorSet::Choice::Kind::ask) return;
      Request request;
      request.plan = planner_.take(frame(*waiting_.begin()), {choice.bytes, 0},
                                   [](const WantedFrame&) { return true; });
      for (const auto& taken : request.plan.frames) {
        auto number = static_cast<std::uint32_t>(taken.job);
        waiting_.erase(number);
        if (asked_ms_[number] == 0) asked_ms_[number] = now_ + 1;
      }
      auto& mirror = result_.mirrors[choice.mirror];
      if (mirror.requests++ == 0) mirror.first_request_bytes = request.plan.range.size();
      request.ticket = set_.started(choice.mirror, now_);
      request.last_byte_ms = now_;
      requests_.push_back(std::move(request));
      mirror.most_at_once = std::max(mirror.most_at_once, active(choice.mirror));
    }
  }
  std::uint32_t active(MirrorId mirror) const {
    return static_cast<std::uint32_t>(
        std::count_if(requests_.begin(), requests_.end(),
                      [&](const auto& r) { return r.ticket.mirror == mirror; }));
  }
  double rate(const SimMirror& link) const {
    if (now_ >= link.stalls_ms && now_ < link.recovers_ms) return 0;
    return now_ >= link.changes_ms ? link.rate_later : link.rate;
  }

  void move_bytes() {
    std::vector<std::uint32_t> users(links_.size());
    for (const auto& request : requests_) ++users[request.ticket.mirror];
    for (auto it = requests_.begin(); it != requests_.end();) {
      auto mirror = it->ticket.mirror;
      const auto& link = links_[mirror];
      bool begun = now_ >= it->ticket.started_ms + link.first_byte_ms;
      double share = rate(link) * kStepMs / 1000 / users[mirror];
      double left = static_cast<double>(it->plan.range.size()) - it->received;
      if (begun && share > 0) receive(*it, std::min(share, left));
      if (it->next < it->plan.frames.size()) {
        ++it;
        continue;
      }
      set_.succeeded(it->ticket, it->silence_ms, now_ + kStepMs);
      it = requests_.erase(it);
    }
  }
  void receive(Request& request, double bytes) {
    auto before = static_cast<std::uint64_t>(request.received);
    request.received += bytes;
    auto whole = static_cast<std::uint64_t>(request.received) - before;
    request.silence_ms = std::max(request.silence_ms, now_ - request.last_byte_ms);
    request.last_byte_ms = now_;
    set_.received(request.ticket.mirror, whole);
    result_.mirrors[request.ticket.mirror].bytes += whole;
    auto& frames = request.plan.frames;
    for (; request.next < frames.size() &&
           static_cast<double>(frames[request.next].end() - request.plan.range.begin) <=
               request.received + 1e-6;
         ++request.next) {
      ++done_;
      auto asked = asked_ms_[static_cast<std::size_t>(frames[request.next].job)];
      result_.longest_wait_ms = std::max(result_.longest_wait_ms, now_ - asked);
    }
  }

  // At most one at a time: where its frames go decides about the next.
  void review() {
    for (auto it = requests_.begin(); it != requests_.end(); ++it) {
      auto mirror = it->ticket.mirror;
      bool stalled = now_ - it->last_byte_ms > set_.silence_limit_ms(mirror);
      auto left =
          static_cast<std::uint64_t>(static_cast<double>(it->plan.range.size()) - it->received);
      bool overtaken = waiting_.empty() &&
                       set_.would_overtake(it->ticket, static_cast<std::uint64_t>(it->received),
                                           left, ids_, {}, now_);
      if (!stalled && !overtaken) continue;
      if (stalled)
        set_.failed(it->ticket, {}, now_);
      else
        set_.overtaken(it->ticket, now_);
      (stalled ? result_.stalled : result_.overtaken) += 1;
      result_.useless_bytes += static_cast<std::uint64_t>(it->received - it->complete_bytes());
      for (std::size_t i = it->next; i < it->plan.frames.size(); ++i)
        want(static_cast<std::uint32_t>(it->plan.frames[i].job));
      requests_.erase(it);
      return;
    }
  }

  MirrorSimOptions options_;
  std::vector<SimMirror> links_;
  MirrorSet set_{{}, 1};
  std::vector<MirrorId> ids_;
  edge::FramePlanner planner_;
  std::set<std::uint32_t> waiting_;
  std::uint32_t wanted_ = 0;
  std::uint32_t done_ = 0;
  std::vector<std::uint64_t> asked_ms_;  // by frame, plus 1; 0: never
  std::vector<Request> requests_;
  std::uint64_t now_ = 0;
  MirrorSimResult result_;
};

}  // namespace

MirrorSimResult simulate_mirrors(const MirrorSimOptions& options,
                                 const std::vector<SimMirror>& mirrors) {
  return Simulation(options, mirrors).run();
}

}  // namespace shoal::test
