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
// One request should last about this long: a slow link gets smaller requests, so that a failure
// loses little and a time-out hits nobody unjustly.
constexpr double kRequestSeconds = 5;
constexpr std::uint64_t kMinRequestBytes = 256 * 1024;

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
  MirrorId mirror = 0;
  auto step = choose_mirror(artifact, job, mirror);
  if (step != Step::started) return step;
  if (!admit(*job)) return Step::stop;
  start_request(artifact, job, mirror);
  return Step::started;
}

// `started` when there is a mirror to ask now. Gives the job up when there will be none soon.
Downloader::Step Downloader::choose_mirror(Artifact& artifact, const JobPtr& job,
                                           MirrorId& mirror) {
  std::span<const MirrorId> candidates = artifact.mirrors;
  if (job->pinned) candidates = std::span<const MirrorId>(&*job->pinned, 1);
  auto choice = mirrors_.choose(candidates, job->tried, now_ms());
  using Kind = MirrorSet::Choice::Kind;
  switch (choice.kind) {
    case Kind::ask:
      mirror = choice.mirror;
      return Step::started;
    case Kind::busy:
      return Step::skipped;
    case Kind::wait:
      next_wake_ms_ = next_wake_ms_ == 0 ? choice.at_ms : std::min(next_wake_ms_, choice.at_ms);
      return Step::skipped;
    case Kind::failing:
    case Kind::none:
      if (job->pinned) {
        job->pinned.reset();  // it became unable to answer: any other will do again
        return choose_mirror(artifact, job, mirror);
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

std::uint64_t Downloader::request_bytes_for(MirrorId mirror) const {
  double rate = mirrors_.request_rate(mirror);
  if (download_limit_ > 0) {
    double share = static_cast<double>(download_limit_) / options_.connections_per_mirror;
    rate = rate > 0 ? std::min(rate, share) : share;
  }
  if (rate <= 0) return options_.max_request_bytes;
  auto bytes = static_cast<std::uint64_t>(rate * kRequestSeconds);
  return std::clamp(bytes, std::min(kMinRequestBytes, options_.max_request_bytes),
                    options_.max_request_bytes);
}

void Downloader::start_request(Artifact& artifact, const JobPtr& job, MirrorId mirror) {
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
  request.mirror = mirror;
  request.plan = artifact.planner.take(
      job->wanted_frame(first), {request_bytes_for(mirror), options_.max_gap_bytes}, rides_along);
  request.position = request.plan.range.begin;
  request.started_ms = now_ms();
  for (const auto& frame : request.plan.frames)
    job_of(frame.job)->pending &= ~(1ULL << frame.frame);
  const auto& index = *artifact.shared->description.index;
  RangeRequest wire{
      mirrors_.url(mirror) + '/' + content::bundle_path(index.bundles[request.plan.bundle]),
      request.plan.range, index.bundle_sizes[request.plan.bundle]};
  RequestId id = next_request_++;
  requests_.emplace(id, std::move(request));
  mirrors_.started(mirror);
  transport_.start(id, wire);
}

// Copies the bytes to every frame that they belong to. Runs inside curl: starts and ends nothing.
void Downloader::request_bytes(RequestId id, ByteView bytes) {
  auto& request = requests_.at(id);
  std::uint64_t begin = request.position;
  std::uint64_t end = begin + bytes.size();
  request.position = end;
  request.unattributed_bytes += bytes.size();
  request.artifact->rate.add(bytes.size(), now_ms());
  mirrors_.received(request.mirror, bytes.size());
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
    job->sources[frames[request.next].frame] = request.mirror;
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
    mirrors_.succeeded(request.mirror, request.plan.range.size(), now_ms() - request.started_ms);
    return;
  }
  log_.info("edge", "{}", failure->error.message);
  for (std::size_t i = request.next; i < request.plan.frames.size(); ++i)
    if (auto job = job_of(request.plan.frames[i].job)) job->last_error = failure->error;
  mirrors_.failed(request.mirror, *failure, request.started_ms, now_ms());
  return_frames(request, true);
}

// What a request did not bring is wanted again; `blame`: from another mirror, unless this one got
// some of the piece across.
void Downloader::return_frames(Request& request, bool blame) {
  auto& frames = request.plan.frames;
  for (std::size_t i = frames.size(); i-- > request.next;) {
    auto job = job_of(frames[i].job);
    if (!job || job->cancelled) continue;
    bool progress =
        i > 0 && request.next > 0 &&
        std::any_of(frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(request.next),
                    [&](const WantedFrame& frame) { return frame.job == job->id; });
    job->pending |= 1ULL << frames[i].frame;
    request.artifact->planner.add(frames[i]);
    bool known =
        std::find(job->tried.begin(), job->tried.end(), request.mirror) != job->tried.end();
    if (blame && !progress && !known) job->tried.push_back(request.mirror);
    enqueue(*request.artifact, job, true);
  }
}

}  // namespace shoal::edge
