// Loops whose rounds may fail, on all workers. What a round makes has its place by number, so that
// the outcome is the same whatever the number of workers.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

#include "base/error.hpp"
#include "base/worker_pool.hpp"

namespace shoal {

// body(i) for every i below `count`; without workers in order, on the calling thread. Nothing new
// is begun after an error, and one of the errors is returned.
inline Result<void> for_each(WorkerPool* workers, std::size_t count,
                             const std::function<Result<void>(std::size_t)>& body) {
  if (workers == nullptr || count < 2) {
    for (std::size_t i = 0; i < count; ++i) SHOAL_TRY(body(i));
    return {};
  }
  std::atomic<bool> failed = false;
  Result<void> outcome;  // of the one that failed first
  workers->parallel_for(count, [&](std::size_t i) {
    if (failed) return;
    auto done = body(i);
    if (!done && !failed.exchange(true)) outcome = std::move(done);
  });
  return outcome;
}

}  // namespace shoal
