// What the edge's own thread does: jobs in, range requests out, pieces checked. All methods on that
// thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/executor.hpp"
#include "base/log.hpp"
#include "edge/curl_transport.hpp"
#include "edge/edge_client.hpp"
#include "edge/frame_planner.hpp"
#include "edge/mirror_set.hpp"
#include "edge/piece_job.hpp"
#include "edge/rates.hpp"

namespace shoal::edge {

// Where results go, on the same thread.
class DownloaderEvents {
 public:
  virtual ~DownloaderEvents() = default;
  // Calls release(job) of the downloader once the bytes have been taken off our hands.
  virtual void job_done(const PieceJob& job, Bytes plain) = 0;
  virtual void job_failed(const PieceJob& job, const Error& error,
                          std::uint32_t retry_after_ms) = 0;
  // Runs assemble() elsewhere and brings its result to assembled().
  virtual void start_assembly(std::shared_ptr<PieceJob> job) = 0;
};

class Downloader final : private TransportEvents {
 public:
  Downloader(const EdgeOptions& options, const Clock& clock, Log& log, DownloaderEvents& events);
  ~Downloader() override;

  void add_artifact(std::shared_ptr<ArtifactShared> artifact);
  void remove_artifact(const std::shared_ptr<ArtifactShared>& artifact);
  void add_job(std::shared_ptr<PieceJob> job);
  void cancel_job(JobId job);
  void assembled(JobId job, Assembly assembly);
  void release(std::uint64_t bytes);  // what job_done handed over is gone
  void set_download_limit(std::uint64_t bytes_per_s);

  void run_once();                    // waits for the network or wake(), then does what can be done
  void wake() { transport_.wake(); }  // any thread
  std::vector<transfer::MirrorStatus> mirror_statuses() const { return mirrors_.statuses(); }

 private:
  using JobPtr = std::shared_ptr<PieceJob>;
  struct Artifact {
    std::shared_ptr<ArtifactShared> shared;
    std::vector<MirrorId> mirrors;  // without those that seem to serve wrong bytes of it
    std::vector<std::pair<MirrorId, std::uint64_t>> left_out;  // those, and since when
    FramePlanner planner;
    std::deque<JobPtr> queue;  // jobs with pending frames, in the order wanted
    RateMeter rate;
  };
  struct Request {
    Artifact* artifact = nullptr;
    MirrorSet::Ticket ticket;
    PlannedRange plan;
    std::size_t next = 0;                  // first frame of the plan that is not complete
    std::uint64_t position = 0;            // in the bundle: the next byte to come
    std::uint64_t unattributed_bytes = 0;  // received since the last complete frame
    std::uint64_t longest_silence_ms = 0;
  };

  void request_bytes(RequestId request, ByteView bytes, std::uint64_t silence_ms) override;
  void request_done(RequestId request, std::optional<RequestFailure> failure) override;

  void pump();
  bool pump_artifact(Artifact& artifact);
  enum class Step { started, skipped, stop };
  Step try_start(Artifact& artifact, const JobPtr& job);
  Step choose_mirror(Artifact& artifact, const JobPtr& job, MirrorSet::Choice& choice);
  void start_request(Artifact& artifact, const JobPtr& job, const MirrorSet::Choice& choice);
  bool review_requests();
  bool is_overtaken(const Request& request) const;
  void break_off_stalled(RequestId id, std::uint64_t silence_ms);
  void hand_over(RequestId id);
  bool admit(PieceJob& job);
  bool room_for_a_request(const Artifact& artifact) const;
  std::uint64_t open_bytes() const;
  std::uint64_t within_download_limit(std::uint64_t request_bytes) const;

  void enqueue(Artifact& artifact, const JobPtr& job, bool in_front);
  void return_frames(Request& request, bool blame);
  void abandon(Artifact& artifact, PieceJob& job);
  void give_up(Artifact& artifact, const JobPtr& job);
  void restart(Artifact& artifact, const JobPtr& job, std::uint64_t frames);
  void handle_wrong(Artifact& artifact, const JobPtr& job, const Assembly& assembly);
  void lift_pin(PieceJob& job);
  void leave_out(Artifact& artifact, MirrorId mirror, const PieceJob& job);
  void convict(const Artifact& artifact, const PieceJob& job, ByteView right);
  void forgive(Artifact& artifact);
  void abort_requests(MirrorId mirror, const Artifact* of = nullptr);
  void abort_requests_without_takers(Artifact& artifact);
  void free_memory(PieceJob& job);
  Artifact* artifact_of(const PieceJob& job);
  JobPtr job_of(JobId id) const;
  void publish_rates();
  std::uint64_t now_ms() const { return static_cast<std::uint64_t>(clock_.steady().count()); }

  EdgeOptions options_;
  const Clock& clock_;
  Log& log_;
  DownloaderEvents& events_;
  MirrorSet mirrors_;
  CurlTransport transport_;
  std::map<transfer::EdgeHandle, std::unique_ptr<Artifact>> artifacts_;
  std::unordered_map<JobId, JobPtr> jobs_;
  std::map<RequestId, Request> requests_;
  RequestId next_request_ = 1;
  std::uint64_t in_flight_bytes_ = 0;
  std::uint64_t download_limit_ = 0;
  std::uint64_t next_wake_ms_ = 0;  // a backoff that is waited for ends then; 0: none
};

}  // namespace shoal::edge
