// Which requests are better off elsewhere: those without a byte for too long, and, when there is
// nothing else to ask for, those that a faster mirror would finish much sooner. They are broken
// off; what they have not brought is queued again like any other wanted frame.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "edge/downloader.hpp"

namespace shoal::edge {
namespace {

// Each hand-over throws a part of a frame away: a piece must not go round in circles.
constexpr std::uint32_t kMaxOvertakings = 3;

}  // namespace

// Breaks off at most one request, since what becomes of it decides about the next. False: none.
bool Downloader::review_requests() {
  for (const auto& [id, request] : requests_) {
    auto silence_ms = transport_.silence_ms(id);
    if (silence_ms > mirrors_.silence_limit_ms(request.ticket.mirror)) {
      break_off_stalled(id, silence_ms);
      return true;
    }
    if (is_overtaken(request)) {
      hand_over(id);
      return true;
    }
  }
  return false;
}

void Downloader::break_off_stalled(RequestId id, std::uint64_t silence_ms) {
  const auto& request = requests_.at(id);
  const auto& bundle = request.artifact->shared->description.index->bundles[request.plan.bundle];
  RequestFailure failure{
      RequestFailure::Fault::mirror,
      {ErrorKind::network_timeout,
       fmt::format("GET {}/{}: not a byte for {:.1f} s", mirrors_.url(request.ticket.mirror),
                   content::bundle_path(bundle), static_cast<double>(silence_ms) / 1000),
       {}}};
  transport_.abort(id);
  request_done(id, std::move(failure));
}

// Whether a faster mirror has nothing else to do than to bring the rest of this.
bool Downloader::is_overtaken(const Request& request) const {
  const auto& artifact = *request.artifact;
  if (!artifact.planner.empty()) return false;
  std::span<const WantedFrame> rest(request.plan.frames);
  rest = rest.subspan(request.next);
  auto first = rest.empty() ? nullptr : job_of(rest.front().job);
  if (!first || first->pinned) return false;
  bool often = std::any_of(rest.begin(), rest.end(), [&](const WantedFrame& frame) {
    auto job = job_of(frame.job);
    return job && job->overtakings >= kMaxOvertakings;
  });
  return !often &&
         mirrors_.would_overtake(request.ticket, request.position - request.plan.range.begin,
                                 request.plan.range.end - request.position, artifact.mirrors,
                                 first->tried, now_ms());
}

// The bytes of its last, incomplete frame are lost: less than a frame, and they are counted.
void Downloader::hand_over(RequestId id) {
  auto found = requests_.find(id);
  Request request = std::move(found->second);
  requests_.erase(found);
  log_.info("edge", "mirror {} is slow: {} bytes are asked for elsewhere, {} for the second time",
            mirrors_.url(request.ticket.mirror),
            request.plan.range.end - request.position + request.unattributed_bytes,
            request.unattributed_bytes);
  transport_.abort(id);
  mirrors_.overtaken(request.ticket, now_ms());
  JobId last = 0;
  for (std::size_t i = request.next; i < request.plan.frames.size(); ++i) {
    auto job = job_of(request.plan.frames[i].job);
    if (job && std::exchange(last, job->id) != job->id) ++job->overtakings;
  }
  return_frames(request, false);
}

}  // namespace shoal::edge
