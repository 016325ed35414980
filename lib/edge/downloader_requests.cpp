// The queue of each artifact is worked off in order: the first job that may be asked for somewhere
// starts a request, and whatever else is wanted next to it in the bundle rides along. Memory is
// reserved before a request starts, so no transfer ever has to be held up.
#include <algorithm>
#include <utility>

#include "edge/downloader.hpp"

namespace shoal::edge {
namespace {

constexpr int kBusyPollMs = 200;  // while bytes flow: rates are published at least this often
constexpr int kIdlePollMs = 60'000;
constexpr std::size_t kScanLimit = 64;  // queued jobs looked at for one that can start now
// With a download limit all requests together should last about this long, as on a slow link.
constexpr std::uint64_t kLimitedSeconds = 5;
constexpr std::uint64_t kMinLimitedBytes = 256 * 1024;

}  // namespace

void Downloader::run_once() {
  pump();
  publish_rates();
  int timeout_ms = requests_.empty() ? kIdlePollMs : kBusyPollMs;
  for (const auto& [id, artifact] : artifacts_)
    if (artifact->shared->rate_bytes_per_s > 0) timeout_ms = kBusyPollMs;
  if (next_wake_ms_ != 0) {
    auto now = now_ms();
    auto left = next_wake_ms_ > now ? next_wake_ms_ - now : 0;
    timeout_ms =
        static_cast<int>(std::min<std::uint64_t>(static_cast<std::uint64_t>(timeout_ms), left));
  }
  transport_.run_once(timeout_ms);
  // After what has come was read: else it would be us who are silent.
  while (review_requests()) pump();
}

void Downloader::publish_rates() {
  for (auto& [id, artifact] : artifacts_)
    artifact->shared->rate_bytes_per_s = artifact->rate.bytes_per_s(now_ms());
}

void Downloader::pump() {
  next_wake_ms_ = 0;
  bool started = true;
  while (started) {  // one request for each artifact in turn, so that none starves
    started = false;
    for (auto& [id, artifact] : artifacts_) started = pump_artifact(*artifact) || started;
  }
}

// Starts at most one request. Bounded: each round removes a job from the queue or ends.
bool Downloader::pump_artifact(Artifact& artifact) {
  auto& queue = artifact.queue;
  for (std::size_t i = 0; i < std::min(queue.size(), kScanLimit);) {
    JobPtr job = queue[i];
    if (job->pending == 0 || job->cancelled) {
      job->queued = false;
      queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    switch (try_start(artifact, job)) {
      case Step::started:
        return true;
      case Step::stop:
        return false;
      case Step::skipped:
        if (!job->cancelled) ++i;
        break;
    }
  }
  return false;
}

Downloader::Step Downloader::try_start(Artifact& artifact, const JobPtr& job) {
  if (job->reserved_bytes == 0 && !room_for_a_request(artifact)) return Step::stop;
  MirrorSet::Choice choice;
  auto step = choose_mirror(artifact, job, choice);
  if (step != Step::started) return step;
  if (!admit(*job)) return Step::stop;
  start_request(artifact, job, choice);
  return Step::started;
}

// `started` when there is a mirror to ask now. Gives the job up when there will be none soon.
Downloader::Step Downloader::choose_mirror(Artifact& artifact, const JobPtr& job,
                                           MirrorSet::Choice& choice) {
  std::span<const MirrorId> candidates = artifact.mirrors;
  if (job->pinned) candidates = std::span<const MirrorId>(&*job->pinned, 1);
  choice = mirrors_.choose(candidates, job->tried, open_bytes(), now_ms());
  using Kind = MirrorSet::Choice::Kind;
  switch (choice.kind) {
    case Kind::ask:
      return Step::started;
    case Kind::busy:
      return Step::skipped;
    case Kind::wait:
      next_wake_ms_ = next_wake_ms_ == 0 ? choice.at_ms : std::min(next_wake_ms_, choice.at_ms);
      return Step::skipped;
    case Kind::failing:
    case Kind::none:
      if (job->pinned) {
        lift_pin(*job);
        return choose_mirror(artifact, job, choice);
      }
      give_up(artifact, job);
      return Step::skipped;
  }
  return Step::skipped;
}

// Room for a request worth making, rather than for one piece at a time as each is handed over.
bool Downloader::room_for_a_request(const Artifact& artifact) const {
  if (in_flight_bytes_ == 0) return true;
  std::uint64_t wanted = 0;
  std::uint64_t enough = options_.max_in_flight_bytes / 4;
  for (std::size_t i = 0; i < std::min(artifact.queue.size(), kScanLimit) && wanted < enough; ++i)
    if (artifact.queue[i]->reserved_bytes == 0) wanted += artifact.queue[i]->cost();
  return in_flight_bytes_ + std::min(wanted, enough) <= options_.max_in_flight_bytes;
}

bool Downloader::admit(PieceJob& job) {
  if (job.reserved_bytes > 0) return true;
  std::uint64_t cost = job.cost();
  if (in_flight_bytes_ > 0 && in_flight_bytes_ + cost > options_.max_in_flight_bytes) return false;
  in_flight_bytes_ += cost;
  job.reserved_bytes = cost;
  job.stored.resize(job.frame_offsets.back());
  return true;
}

// All that is wanted and has not come, whether it was asked for or not.
std::uint64_t Downloader::open_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [id, artifact] : artifacts_) bytes += artifact->planner.bytes();
  for (const auto& [id, request] : requests_) bytes += request.plan.range.end - request.position;
  return bytes;
}

std::uint64_t Downloader::within_download_limit(std::uint64_t request_bytes) const {
  if (download_limit_ == 0) return request_bytes;
  auto share = download_limit_ * kLimitedSeconds / options_.connections_per_mirror;
  return std::min(request_bytes, std::max(kMinLimitedBytes, share));
}

void Downloader::start_request(Artifact& artifact, const JobPtr& job,
                               const MirrorSet::Choice& choice) {
  MirrorId mirror = choice.mirror;
  auto first = static_cast<std::uint32_t>(__builtin_ctzll(job->pending));
  auto rides_along = [&](const WantedFrame& frame) {
    auto other = job_of(frame.job);
    bool elsewhere =
        std::find(other->tried.begin(), other->tried.end(), mirror) != other->tried.end() ||
        (other->pinned && *other->pinned != mirror);
    return !elsewhere && admit(*other);
  };
  Request request;
  request.artifact = &artifact;
  request.plan = artifact.planner.take(
      job->wanted_frame(first), {within_download_limit(choice.bytes), options_.max_gap_bytes},
      rides_along);
  request.position = request.plan.range.begin;
  request.ticket = mirrors_.started(mirror, now_ms());
  for (const auto& frame : request.plan.frames)
    job_of(frame.job)->pending &= ~(1ULL << frame.frame);
  const auto& index = *artifact.shared->description.index;
  RangeRequest wire{
      mirrors_.url(mirror) + '/' + content::bundle_path(index.bundles[request.plan.bundle]),
      request.plan.range, index.bundle_sizes[request.plan.bundle]};
  RequestId id = next_request_++;
  requests_.emplace(id, std::move(request));
  transport_.start(id, wire);
}

// Copies the bytes to every frame that they belong to. Runs inside curl: starts and ends nothing.
void Downloader::request_bytes(RequestId id, ByteView bytes, std::uint64_t silence_ms) {
  auto& request = requests_.at(id);
  std::uint64_t begin = request.position;
  std::uint64_t end = begin + bytes.size();
  request.position = end;
  request.unattributed_bytes += bytes.size();
  request.longest_silence_ms = std::max(request.longest_silence_ms, silence_ms);
  request.artifact->rate.add(bytes.size(), now_ms());
  request.artifact->shared->received_bytes += bytes.size();
  mirrors_.received(request.ticket.mirror, bytes.size());
  auto& frames = request.plan.frames;
  for (std::size_t i = request.next; i < frames.size() && frames[i].offset < end; ++i) {
    const auto& frame = frames[i];
    std::uint64_t from = std::max(begin, frame.offset);
    std::uint64_t to = std::min(end, frame.end());
    auto job = job_of(frame.job);
    if (from < to && job && !job->cancelled)
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(from - begin), to - from,
                  job->stored.begin() + job->frame_offsets[frame.frame] +
                      static_cast<std::ptrdiff_t>(from - frame.offset));
  }
  // In order of offset, and none lies inside another, so they complete in order.
  for (; request.next < frames.size() && frames[request.next].end() <= end; ++request.next) {
    auto job = job_of(frames[request.next].job);
    if (!job || job->cancelled) continue;
    job->received |= 1ULL << frames[request.next].frame;
    job->sources[frames[request.next].frame] = request.ticket.mirror;
    job->wire_bytes += std::exchange(request.unattributed_bytes, 0);
    if (!job->complete()) continue;
    job->assembling = true;
    events_.start_assembly(job);
  }
}

void Downloader::request_done(RequestId id, std::optional<RequestFailure> failure) {
  auto found = requests_.find(id);
  Request request = std::move(found->second);
  requests_.erase(found);
  if (!failure) {
    mirrors_.succeeded(request.ticket, request.longest_silence_ms, now_ms());
    return;
  }
  log_.info("edge", "{}", failure->error.message);
  for (std::size_t i = request.next; i < request.plan.frames.size(); ++i)
    if (auto job = job_of(request.plan.frames[i].job)) job->last_error = failure->error;
  mirrors_.failed(request.ticket, *failure, now_ms());
  return_frames(request, true);
}

// What a request did not bring is wanted again; `blame`: from another mirror, unless this one got
// some of the piece across.
void Downloader::return_frames(Request& request, bool blame) {
  auto& frames = request.plan.frames;
  auto mirror = request.ticket.mirror;
  JobPtr first;
  for (std::size_t i = frames.size(); i-- > request.next;) {
    auto job = job_of(frames[i].job);
    if (!job || job->cancelled) continue;
    bool progress =
        i > 0 && request.next > 0 &&
        std::any_of(frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(request.next),
                    [&](const WantedFrame& frame) { return frame.job == job->id; });
    job->pending |= 1ULL << frames[i].frame;
    first = job;
    request.artifact->planner.add(frames[i]);
    bool known = std::find(job->tried.begin(), job->tried.end(), mirror) != job->tried.end();
    if (blame && !progress && !known) job->tried.push_back(mirror);
    enqueue(*request.artifact, job, true);
  }
  // What came of an incomplete frame crossed the network for that piece.
  if (first) first->wire_bytes += request.unattributed_bytes;
}

}  // namespace shoal::edge
