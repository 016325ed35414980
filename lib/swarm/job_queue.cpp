// A lane is in `ready_` exactly when it has jobs and none of them runs. A thread takes a ready
// lane with all the jobs it has at that moment, runs them in order, and puts the lane back at the
// end if more have come: so no lane is ever on two threads, and none starves the others.
#include "swarm/job_queue.hpp"

#include <utility>

namespace shoal::swarm {

JobQueue::JobQueue(unsigned threads) {
  threads_.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

JobQueue::~JobQueue() {
  drain();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void JobQueue::push(Lane lane, Job job) {
  {
    std::lock_guard lock(mutex_);
    LaneState& state = lanes_[lane];
    state.jobs.push_back(std::move(job));
    if (state.running || state.jobs.size() > 1) return;
    ready_.push_back(lane);
  }
  wake_.notify_one();
}

void JobQueue::drain() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return lanes_.empty(); });
}

void JobQueue::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !ready_.empty(); });
    if (ready_.empty()) return;
    const Lane lane = ready_.front();
    ready_.pop_front();
    std::deque<Job> batch = std::exchange(lanes_[lane].jobs, {});
    lanes_[lane].running = true;

    lock.unlock();
    for (Job& job : batch) job();
    batch.clear();
    lock.lock();

    LaneState& state = lanes_[lane];
    state.running = false;
    if (state.jobs.empty()) {
      lanes_.erase(lane);
      if (lanes_.empty()) idle_.notify_all();
    } else {
      ready_.push_back(lane);
      wake_.notify_one();
    }
  }
}

}  // namespace shoal::swarm
