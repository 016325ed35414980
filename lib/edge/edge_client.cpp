// Three places and what each owns: the main thread knows which pieces are wanted and by whom; the
// curl thread (Downloader) owns requests, mirrors and memory; workers only compute. They meet in
// one mailbox: every command to the curl thread is a function put there, and every result comes
// back to the main thread as a task that first looks whether the piece is still wanted.
#include "edge/edge_client.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "edge/downloader.hpp"

namespace shoal::edge {
namespace {

using transfer::ArtifactId;
using transfer::EdgeHandle;

// Commands for the curl thread. Shared with workers and tasks that may outlive the edge: what
// arrives after the end is dropped.
class Mailbox {
 public:
  using Command = std::function<void(Downloader&)>;

  void open(Downloader& downloader) {
    std::lock_guard lock(mutex_);
    downloader_ = &downloader;
  }
  void close() {
    std::lock_guard lock(mutex_);
    downloader_ = nullptr;
    commands_.clear();
  }
  void put(Command command) {
    std::lock_guard lock(mutex_);
    if (downloader_ == nullptr) return;
    commands_.push_back(std::move(command));
    if (commands_.size() == 1) downloader_->wake();  // the others are found with it
  }
  std::vector<Command> take_all() {
    std::lock_guard lock(mutex_);
    return std::exchange(commands_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Command> commands_;
  Downloader* downloader_ = nullptr;
};

// What the main thread knows. Tasks posted there hold it weakly: it dies with the edge.
struct MainState {
  struct Artifact {
    transfer::EdgeEvents* events = nullptr;
    std::shared_ptr<ArtifactShared> shared;
    std::unordered_map<PieceIndex, JobId> wanted;
  };
  std::map<EdgeHandle, Artifact> artifacts;
  std::uint64_t next_handle = 1;
  JobId next_job = 1;

  // Takes the job off the list of what is wanted; null when it is not on it any more.
  transfer::EdgeEvents* finish(EdgeHandle handle, PieceIndex piece, JobId job) {
    auto artifact = artifacts.find(handle);
    if (artifact == artifacts.end()) return nullptr;
    auto wanted = artifact->second.wanted.find(piece);
    if (wanted == artifact->second.wanted.end() || wanted->second != job) return nullptr;
    artifact->second.wanted.erase(wanted);
    return artifact->second.events;
  }
};

class EdgeClient final : public transfer::Edge, private DownloaderEvents {
 public:
  EdgeClient(const EdgeOptions& options, Executor& main_thread, Executor& workers, Log& log)
      : main_thread_(main_thread),
        workers_(workers),
        downloader_(options, clock_, log, *this),
        mailbox_(std::make_shared<Mailbox>()),
        main_(std::make_shared<MainState>()) {
    mailbox_->open(downloader_);
    thread_ = std::thread([this] { run(); });
  }

  ~EdgeClient() override {
    stopping_ = true;
    downloader_.wake();
    thread_.join();
    mailbox_->close();
  }

  EdgeHandle add(const ArtifactId& id, transfer::EdgeArtifact description,
                 transfer::EdgeEvents& events) override {
    auto shared = std::make_shared<ArtifactShared>();
    shared->id = id;
    shared->handle = EdgeHandle{main_->next_handle++};
    shared->description = std::move(description);
    main_->artifacts[shared->handle] = {&events, shared, {}};
    mailbox_->put([shared](Downloader& downloader) { downloader.add_artifact(shared); });
    return shared->handle;
  }

  void remove(EdgeHandle handle) override {
    auto found = main_->artifacts.find(handle);
    if (found == main_->artifacts.end()) return;
    auto shared = std::move(found->second.shared);
    main_->artifacts.erase(found);
    mailbox_->put([shared](Downloader& downloader) { downloader.remove_artifact(shared); });
  }

  void fetch(EdgeHandle handle, const std::vector<Want>& wants) override {
    auto found = main_->artifacts.find(handle);
    if (found == main_->artifacts.end()) return;
    std::vector<std::shared_ptr<PieceJob>> jobs;
    for (const auto& want : wants) {
      auto [place, is_new] = found->second.wanted.try_emplace(want.piece, main_->next_job);
      if (!is_new) continue;
      JobId job_id = main_->next_job++;
      auto job = make_job(job_id, found->second.shared, want);
      if (job)
        jobs.push_back(std::move(*job));
      else  // later, like every other failure: the caller is not called back from its own call
        post_failure(*found->second.shared, want.piece, job_id, job.error(), kNeverMs);
    }
    mailbox_->put([jobs = std::move(jobs)](Downloader& downloader) {
      for (const auto& job : jobs) downloader.add_job(job);
    });
  }

  void cancel(EdgeHandle handle, const std::vector<PieceIndex>& pieces) override {
    auto found = main_->artifacts.find(handle);
    if (found == main_->artifacts.end()) return;
    std::vector<JobId> jobs;
    for (auto piece : pieces) {
      auto wanted = found->second.wanted.find(piece);
      if (wanted == found->second.wanted.end()) continue;
      jobs.push_back(wanted->second);
      found->second.wanted.erase(wanted);
    }
    mailbox_->put([jobs = std::move(jobs)](Downloader& downloader) {
      for (auto job : jobs) downloader.cancel_job(job);
    });
  }

  void set_download_limit(std::uint64_t bytes_per_s) override {
    mailbox_->put(
        [bytes_per_s](Downloader& downloader) { downloader.set_download_limit(bytes_per_s); });
  }

  std::vector<transfer::MirrorStatus> mirrors() const override {
    std::lock_guard lock(statuses_mutex_);
    return statuses_;
  }

  std::uint64_t download_bytes_per_s(EdgeHandle handle) const override {
    auto found = main_->artifacts.find(handle);
    return found == main_->artifacts.end() ? 0 : found->second.shared->rate_bytes_per_s.load();
  }

  std::uint64_t received_bytes(EdgeHandle handle) const override {
    auto found = main_->artifacts.find(handle);
    return found == main_->artifacts.end() ? 0 : found->second.shared->received_bytes.load();
  }

 private:
  // A piece that the index does not describe will not be there later either.
  static constexpr std::uint32_t kNeverMs = 3'600'000;

  void run() {
    while (!stopping_) {
      for (auto& command : mailbox_->take_all()) command(downloader_);
      downloader_.run_once();
      std::lock_guard lock(statuses_mutex_);
      statuses_ = downloader_.mirror_statuses();
    }
  }

  // DownloaderEvents, on the curl thread.
  void job_done(const PieceJob& job, Bytes plain) override {
    // std::function needs copies; the bytes are moved out of the shared place, once.
    auto bytes = std::make_shared<Bytes>(std::move(plain));
    main_thread_.post([main = std::weak_ptr(main_), mailbox = mailbox_, bytes, id = job.id,
                       artifact = job.artifact, piece = job.piece, wire = job.wire_bytes,
                       reserved = job.reserved_bytes] {
      auto state = main.lock();
      auto* events = state ? state->finish(artifact->handle, piece, id) : nullptr;
      if (events != nullptr) events->edge_piece(artifact->id, piece, std::move(*bytes), wire);
      mailbox->put([reserved](Downloader& downloader) { downloader.release(reserved); });
    });
  }

  void job_failed(const PieceJob& job, const Error& error, std::uint32_t retry_after_ms) override {
    post_failure(*job.artifact, job.piece, job.id, error, retry_after_ms);
  }

  void post_failure(const ArtifactShared& artifact, PieceIndex piece, JobId job, const Error& error,
                    std::uint32_t retry_after_ms) {
    main_thread_.post([main = std::weak_ptr(main_), id = artifact.id, handle = artifact.handle,
                       piece, job, error, retry_after_ms] {
      auto state = main.lock();
      auto* events = state ? state->finish(handle, piece, job) : nullptr;
      if (events != nullptr) events->edge_failed(id, piece, error, retry_after_ms);
    });
  }

  void start_assembly(std::shared_ptr<PieceJob> job) override {
    workers_.post([job, mailbox = mailbox_] {
      auto result = std::make_shared<Assembly>(assemble(*job));
      mailbox->put([id = job->id, result](Downloader& downloader) {
        downloader.assembled(id, std::move(*result));
      });
    });
  }

  SystemClock clock_;
  Executor& main_thread_;
  Executor& workers_;
  Downloader downloader_;
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<MainState> main_;
  mutable std::mutex statuses_mutex_;
  std::vector<transfer::MirrorStatus> statuses_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<transfer::Edge>> make_edge(const EdgeOptions& options, Executor& main_thread,
                                                  Executor& workers, Log& log) {
  try {
    return std::make_unique<EdgeClient>(options, main_thread, workers, log);
  } catch (const std::exception& error) {
    return fail(ErrorKind::internal, std::string("start the edge client: ") + error.what());
  }
}

}  // namespace shoal::edge
