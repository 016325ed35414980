// Disk jobs on a few threads: the jobs of one lane run in order, lanes run side by side.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace shoal::swarm {

class JobQueue {
 public:
  using Lane = std::uint64_t;
  using Job = std::move_only_function<void()>;

  explicit JobQueue(unsigned threads);
  // Runs everything that is queued.
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  // Any thread. A job may push others.
  void push(Lane lane, Job job);
  // Returns once nothing is queued or running. Not from a job.
  void drain();

 private:
  struct LaneState {
    std::deque<Job> jobs;
    bool running = false;
  };
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::unordered_map<Lane, LaneState> lanes_;  // only those that have jobs, or run one
  std::deque<Lane> ready_;                     // lanes with jobs of which none runs
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace shoal::swarm
