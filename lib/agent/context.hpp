// What the daemon hands to the agent: threads, clock, state, network, each behind an interface.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "base/worker_pool.hpp"
#include "install/stage.hpp"
#include "store/store.hpp"
#include "transfer/edge.hpp"
#include "transfer/swarm.hpp"
#include "trust/fetcher.hpp"

namespace shoal::agent {

// Everything outlives the agent.
struct Context {
  Executor& main;       // the loop's thread: the agent lives on it
  Timers& timers;       // of the same thread
  Executor& jobs;       // long blocking steps (a refresh, staging, a commit)
  WorkerPool& workers;  // short pieces of work: hashing, writing, copying
  const Clock& clock;
  Log& log;
  store::Store& store;
  transfer::Swarm& swarm;
  transfer::Edge& edge;
  // A fetcher over these base URLs, tried in order.
  std::function<Result<std::unique_ptr<trust::Fetcher>>(std::vector<std::string>)> make_fetcher;
  std::filesystem::path state_dir;
  install::StepHook step;  // may be empty
};

// Runs `work` as a job; `then` gets its result on the main thread.
template <typename T>
void run_job(const Context& context, std::function<Result<T>()> work,
             std::function<void(Result<T>)> then) {
  Executor& main = context.main;
  context.jobs.post([&main, work = std::move(work), then = std::move(then)] {
    auto result = std::make_shared<Result<T>>(work());
    main.post([result, then] { then(std::move(*result)); });
  });
}

}  // namespace shoal::agent
