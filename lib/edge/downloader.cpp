// The life of jobs: taken on, cancelled, given up, judged by their hash. A wrong piece is traced to
// who is to blame before anybody is dropped. (Requests: downloader_requests.cpp, and what ends them
// early: downloader_review.cpp.)
#include "edge/downloader.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace shoal::edge {
namespace {

RequestLimits request_limits(const EdgeOptions& options) {
  return {options.connect_timeout_ms, options.request_timeout_ms, options.low_speed_bytes_per_s,
          options.low_speed_seconds,  options.max_redirects,      options.ca_file};
}

MirrorLimits mirror_limits(const EdgeOptions& options) {
  return {options.connections_per_mirror,   options.max_request_bytes,   options.backoff_first_ms,
          options.backoff_max_ms,           options.backoff_patience_ms, options.silence_ms,
          options.low_speed_seconds * 1000, options.dropped_retry_ms};
}

std::string wrong_bytes_for(const PieceJob& job) {
  return fmt::format("it served wrong bytes for piece {} of {}", job.piece.value(),
                     job.artifact->id.hex());
}

bool contains(const std::vector<MirrorId>& list, MirrorId mirror) {
  return std::find(list.begin(), list.end(), mirror) != list.end();
}

}  // namespace

Downloader::Downloader(const EdgeOptions& options, const Clock& clock, Log& log,
                       DownloaderEvents& events)
    : options_(options),
      clock_(clock),
      log_(log),
      events_(events),
      mirrors_(mirror_limits(options), options.seed),
      transport_(request_limits(options), clock, *this) {}

Downloader::~Downloader() = default;

void Downloader::add_artifact(std::shared_ptr<ArtifactShared> shared) {
  auto artifact = std::make_unique<Artifact>();
  for (const auto& url : shared->description.mirrors) {
    auto base = checked_base_url(url);
    if (base) {
      artifact->mirrors.push_back(mirrors_.add(shared->description.repository, *base));
    } else {
      log_.warning("edge", "{}", base.error().describe());
    }
  }
  artifact->shared = std::move(shared);
  auto handle = artifact->shared->handle;
  artifacts_[handle] = std::move(artifact);
}

void Downloader::remove_artifact(const std::shared_ptr<ArtifactShared>& shared) {
  auto found = artifacts_.find(shared->handle);
  if (found == artifacts_.end()) return;
  std::vector<JobPtr> leaving;
  for (const auto& [id, job] : jobs_)
    if (job->artifact == shared) leaving.push_back(job);
  for (const auto& job : leaving) abandon(*found->second, *job);
  abort_requests_without_takers(*found->second);
  shared->rate_bytes_per_s = 0;
  artifacts_.erase(found);
  pump();
}

void Downloader::add_job(JobPtr job) {
  Artifact* artifact = artifact_of(*job);
  if (artifact == nullptr) return;
  forgive(*artifact);
  jobs_.emplace(job->id, job);
  job->pending = job->frames;
  for (std::uint32_t frame = 0; frame < job->sources.size(); ++frame)
    if ((job->frames >> frame & 1) != 0) artifact->planner.add(job->wanted_frame(frame));
  enqueue(*artifact, job, false);
}

// Those that served wrong bytes may be well again, and the others gone.
void Downloader::forgive(Artifact& artifact) {
  std::erase_if(artifact.left_out, [&](const auto& entry) {
    const auto& [mirror, since_ms] = entry;
    if (now_ms() - since_ms < options_.dropped_retry_ms) return false;
    artifact.mirrors.push_back(mirror);
    return true;
  });
  for (const auto mirror : artifact.mirrors) mirrors_.forgive(mirror, now_ms());
}

void Downloader::cancel_job(JobId id) {
  auto job = job_of(id);
  if (!job) return;
  Artifact* artifact = artifact_of(*job);
  abandon(*artifact, *job);
  abort_requests_without_takers(*artifact);
}

// Forgets the job. Its memory stays accounted for while a worker has it.
void Downloader::abandon(Artifact& artifact, PieceJob& job) {
  for (std::uint32_t frame = 0; frame < job.sources.size(); ++frame)
    if ((job.pending >> frame & 1) != 0) artifact.planner.remove(job.wanted_frame(frame));
  job.pending = 0;
  job.cancelled = true;
  if (!job.assembling) {
    free_memory(job);
    jobs_.erase(job.id);
  }
}

void Downloader::abort_requests_without_takers(Artifact& artifact) {
  for (auto it = requests_.begin(); it != requests_.end();) {
    auto& [id, request] = *it;
    bool needed =
        std::any_of(request.plan.frames.begin() + static_cast<std::ptrdiff_t>(request.next),
                    request.plan.frames.end(), [&](const WantedFrame& frame) {
                      auto job = job_of(frame.job);
                      return job && !job->cancelled;
                    });
    if (request.artifact != &artifact || needed) {
      ++it;
      continue;
    }
    transport_.abort(id);
    mirrors_.aborted(request.ticket);
    it = requests_.erase(it);
  }
}

void Downloader::enqueue(Artifact& artifact, const JobPtr& job, bool in_front) {
  if (job->queued) return;
  job->queued = true;
  if (in_front)
    artifact.queue.push_front(job);
  else
    artifact.queue.push_back(job);
}

void Downloader::free_memory(PieceJob& job) {
  in_flight_bytes_ -= job.reserved_bytes;
  job.reserved_bytes = 0;
  job.stored = Bytes();
}

Downloader::Artifact* Downloader::artifact_of(const PieceJob& job) {
  auto found = artifacts_.find(job.artifact->handle);
  return found == artifacts_.end() ? nullptr : found->second.get();
}

Downloader::JobPtr Downloader::job_of(JobId id) const {
  auto found = jobs_.find(id);
  return found == jobs_.end() ? nullptr : found->second;
}

void Downloader::release(std::uint64_t bytes) { in_flight_bytes_ -= bytes; }

void Downloader::set_download_limit(std::uint64_t bytes_per_s) {
  download_limit_ = bytes_per_s;
  transport_.set_download_limit(bytes_per_s);
}

void Downloader::give_up(Artifact& artifact, const JobPtr& job) {
  auto first = mirrors_.earliest(artifact.mirrors);
  std::uint64_t retry_ms = options_.missing_retry_ms;
  Error error = job->last_error;
  auto url =
      content::bundle_path(artifact.shared->description.index->bundles[job->location().bundle]);
  if (!first) {
    bool any = !artifact.mirrors.empty() || !artifact.left_out.empty();
    error = {any ? ErrorKind::verification_failed : ErrorKind::source_unavailable,
             any ? fmt::format("fetch {}: every mirror has served wrong bytes", url)
                 : fmt::format("fetch {}: the repository names no mirror that can be used", url),
             {}};
    retry_ms = options_.dropped_retry_ms;
  } else if (*first > now_ms()) {
    retry_ms = *first - now_ms();
  } else if (error.kind != ErrorKind::source_unavailable) {
    retry_ms = options_.backoff_first_ms;  // some mirror is ready again by now
  }
  if (error.message.empty())
    error = {ErrorKind::network,
             fmt::format("fetch {}: no mirror can be reached at the moment", url),
             {}};
  abandon(artifact, *job);
  abort_requests_without_takers(artifact);
  events_.job_failed(
      *job, error,
      static_cast<std::uint32_t>(std::min<std::uint64_t>(retry_ms, options_.dropped_retry_ms)));
}

void Downloader::assembled(JobId id, Assembly assembly) {
  auto job = job_of(id);
  assert(job && job->assembling);
  job->assembling = false;
  Artifact* artifact = artifact_of(*job);
  if (job->cancelled || artifact == nullptr) {
    free_memory(*job);
    jobs_.erase(id);
    return;
  }
  if (assembly.verdict != Assembly::Verdict::right) {
    handle_wrong(*artifact, job, assembly);
    return;
  }
  convict(*artifact, *job, assembly.plain);
  jobs_.erase(id);
  // The compressed bytes are gone; the plain ones count until release().
  job->stored = Bytes();
  auto plain_bytes = std::min<std::uint64_t>(assembly.plain.size(), job->reserved_bytes);
  in_flight_bytes_ -= job->reserved_bytes - plain_bytes;
  job->reserved_bytes = plain_bytes;
  events_.job_done(*job, std::move(assembly.plain));
}

// Who is to blame? Not a mirror, if the store gave a part; the one mirror, if only one served; and
// if several did, one is asked for all of it.
void Downloader::handle_wrong(Artifact& artifact, const JobPtr& job, const Assembly& assembly) {
  for (const auto& evidence : evidence_of(*job, assembly)) job->evidence.push_back(evidence);
  std::vector<MirrorId> sources;
  for (std::uint32_t frame = 0; frame < job->sources.size(); ++frame) {
    bool fetched = (job->frames >> frame & 1) != 0;
    MirrorId source = job->sources[frame];
    if (fetched && std::find(sources.begin(), sources.end(), source) == sources.end())
      sources.push_back(source);
  }
  if (assembly.verdict == Assembly::Verdict::bad_frame) sources = {job->sources[assembly.frame]};
  bool from_store = job->uses_store() && assembly.verdict != Assembly::Verdict::bad_frame;
  if (from_store) {
    log_.info("edge", "piece {} of {}: what is on disk does not fit; fetching all of it",
              job->piece.value(), job->artifact->id.hex());
    restart(artifact, job, all_frames(static_cast<std::uint32_t>(job->sources.size())));
    return;
  }
  if (sources.size() == 1) leave_out(artifact, sources.front(), *job);
  restart(artifact, job, job->frames);
  if (sources.size() == 1) return;
  bool one_is_out = std::any_of(sources.begin(), sources.end(), [&](MirrorId id) {
    return mirrors_.dropped(id) || !contains(artifact.mirrors, id);
  });
  auto next = std::find_if(sources.begin(), sources.end(),
                           [&](MirrorId id) { return !contains(job->shirkers, id); });
  if (!one_is_out && next != sources.end()) job->pinned = *next;
}

// It cannot bring the rest, or will not. Of what it gave something may be wrong, and would make the
// others' bytes wrong again and again: it is not asked for this piece any more.
void Downloader::lift_pin(PieceJob& job) {
  job.shirkers.push_back(*job.pinned);
  if (!contains(job.tried, *job.pinned)) job.tried.push_back(*job.pinned);
  job.pinned.reset();
}

void Downloader::restart(Artifact& artifact, const JobPtr& job, std::uint64_t frames) {
  free_memory(*job);
  job->frames = frames;
  job->pending = frames;
  job->received = 0;
  job->tried = job->shirkers;
  job->pinned.reset();
  for (std::uint32_t frame = 0; frame < job->sources.size(); ++frame)
    if ((frames >> frame & 1) != 0) artifact.planner.add(job->wanted_frame(frame));
  enqueue(artifact, job, true);
}

// No proof: whoever published the artifact may have signed what no mirror can serve, and would
// close the mirrors of all that the repository has. They are out for this artifact.
void Downloader::leave_out(Artifact& artifact, MirrorId mirror, const PieceJob& job) {
  if (std::erase(artifact.mirrors, mirror) == 0) return;
  artifact.left_out.emplace_back(mirror, now_ms());
  if (!mirrors_.dropped(mirror)) mirrors_.blame(mirror, wrong_bytes_for(job));
  log_.warning("edge",
               "mirror {} is not asked for {} for a while: it served wrong bytes for piece {}",
               mirrors_.url(mirror), job.artifact->id.hex(), job.piece.value());
  for (const auto& [id, other] : jobs_)
    if (other->artifact == artifact.shared && other->pinned == mirror) other->pinned.reset();
  abort_requests(mirror, &artifact);
}

// The piece is right at last: whoever gave something else for a part of it lied, or was lied to.
void Downloader::convict(const Artifact& artifact, const PieceJob& job, ByteView right) {
  for (const auto mirror : liars(job, right)) {
    if (mirrors_.dropped(mirror)) continue;
    const auto why = wrong_bytes_for(job);
    if (contains(artifact.mirrors, mirror)) mirrors_.blame(mirror, why);  // else it has been
    log_.warning("edge", "mirror {} is not asked again for a while: {}", mirrors_.url(mirror), why);
    mirrors_.drop(mirror, why, now_ms());
    abort_requests(mirror);
  }
}

// Those that the mirror has; of one artifact, or of all (null).
void Downloader::abort_requests(MirrorId mirror, const Artifact* of) {
  for (auto it = requests_.begin(); it != requests_.end();) {
    const auto& request = it->second;
    if (request.ticket.mirror != mirror || (of != nullptr && request.artifact != of)) {
      ++it;
      continue;
    }
    transport_.abort(it->first);
    mirrors_.aborted(it->second.ticket);
    return_frames(it->second, false);
    it = requests_.erase(it);
  }
}

}  // namespace shoal::edge
