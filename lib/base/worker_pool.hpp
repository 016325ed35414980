// A fixed pool of threads for hashing, compressing, decoding and copying.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/executor.hpp"

namespace shoal {

class WorkerPool final : public Executor {
 public:
  // 0 threads: one per processor.
  explicit WorkerPool(unsigned threads = 0);
  // Finishes the tasks that have begun; drops those still queued.
  ~WorkerPool() override;

  void post(std::function<void()> task) override;
  unsigned size() const { return static_cast<unsigned>(threads_.size()); }

  // Runs body(i) for every i in [0, count) on the pool and the calling thread; returns when all
  // are done. Must not be called from one of the pool's own threads.
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace shoal
