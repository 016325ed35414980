// One queue under one mutex: jobs here are large (a piece, a file), so contention does not show.
#include "base/worker_pool.hpp"

#include <algorithm>
#include <atomic>
#include <memory>

namespace shoal {

WorkerPool::WorkerPool(unsigned threads) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void WorkerPool::post(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void WorkerPool::run() {
  while (true) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

void WorkerPool::parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  // Shared with helpers that may only get their turn after the loop is over: they then find
  // nothing left, and must not touch `body`, which is gone.
  struct Loop {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::condition_variable done;
    std::size_t finished = 0;
  };
  if (count == 0) return;
  auto loop = std::make_shared<Loop>();
  auto work = [loop, count, &body] {
    std::size_t mine = 0;
    for (std::size_t i = loop->next++; i < count; i = loop->next++, ++mine) body(i);
    std::lock_guard lock(loop->mutex);
    loop->finished += mine;
    if (loop->finished == count) loop->done.notify_all();
  };
  std::size_t helpers = std::min<std::size_t>(threads_.size(), count - 1);
  for (std::size_t i = 0; i < helpers; ++i) post(work);
  work();
  std::unique_lock lock(loop->mutex);
  loop->done.wait(lock, [&] { return loop->finished == count; });
}

}  // namespace shoal
