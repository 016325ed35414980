// The life of a change: queued, running, and one of the ends. Whatever stops it is noted first and
// carried out when the step in progress has come back, so that no two steps ever run at once.
#include "agent/change_runner.hpp"

namespace shoal::agent {
namespace {

constexpr std::chrono::milliseconds kProgressEvery{500};
constexpr std::chrono::milliseconds kRunAgainAfter{5'000};
// Progress is made durable every so many times: what a kill may take from the byte counts.
constexpr int kTicksPerRecord = 10;

bool is_about_sources(ErrorKind kind) {
  return kind == ErrorKind::network || kind == ErrorKind::network_timeout ||
         kind == ErrorKind::source_unavailable;
}

}  // namespace

ChangeRunner::ChangeRunner(const Context& context, RunnerHost& host, ChangeRecord record)
    : context_(context), host_(host), record_(std::move(record)) {
  resumed_ = !record_.ended() && !record_.view.version.empty();
}

ChangeRunner::~ChangeRunner() = default;

void ChangeRunner::start() {
  if (active_) return;
  active_ = true;
  stop_ = StopToken();
  stop_reason_.reset();
  auto& view = record_.view;
  view.state = ChangeState::running;
  view.error.reset();
  view.waiting_for.clear();
  reset_tasks();
  started_ = context_.clock.steady();
  seconds_before_ = view.seconds;
  host_.changed(record_, true);
  tick();
  run();
}

void ChangeRunner::reset_tasks() {
  record_.view.tasks.clear();
  for (auto kind : task_list()) record_.view.tasks.push_back({kind, TaskState::pending, 0, 0});
  current_task_ = 0;
}

Result<void> ChangeRunner::stop(StopReason reason) {
  if (committing_ && reason != StopReason::shutdown)
    return fail(ErrorKind::conflict, "the change is past its commit point and is being finished");
  if (!active_) {
    if (reason == StopReason::pause) end(ChangeState::paused);
    if (reason == StopReason::cancel) end(ChangeState::cancelled);
    return {};
  }
  stop_reason_ = reason;
  stop_.request_stop();
  halt();
  if (jobs_running_ == 0) settle_stop();
  return {};
}

void ChangeRunner::settle_stop() {
  if (!active_ || !stop_reason_ || jobs_running_ > 0) return;
  halt();
  switch (*stop_reason_) {
    case StopReason::pause:
      return end(ChangeState::paused);
    case StopReason::cancel:
      return end(ChangeState::cancelled);
    case StopReason::shutdown:
      update_progress();
      active_ = false;
      host_.changed(record_, true);  // goes on from these counts after the next start
      return;
  }
}

void ChangeRunner::end_done() {
  for (auto& entry : record_.view.tasks) entry.state = TaskState::done;
  end(ChangeState::done);
}

void ChangeRunner::end_failed(const Error& error) {
  halt();
  // A stop shows up as a failure of the step that it stopped.
  if (stop_reason_) return settle_stop();
  if (resumed_ && is_about_sources(error.kind)) return run_again_later(error);
  record_.view.error = error;
  if (current_task_ < record_.view.tasks.size())
    record_.view.tasks[current_task_].state = TaskState::failed;
  context_.log.warning("agent", "{} {}: {}", name_of(record_.view.kind), record_.view.product,
                       error.describe());
  end(ChangeState::failed);
}

void ChangeRunner::run_again_later(const Error& error) {
  set_waiting(true, error.message);
  run_again_ = context_.timers.after(kRunAgainAfter, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self || !self->active_ || self->stop_reason_) return;
    self->set_waiting(false, "");
    self->reset_tasks();
    self->run();
  });
}

void ChangeRunner::end(ChangeState state) {
  update_progress();
  context_.timers.cancel(tick_);
  context_.timers.cancel(run_again_);
  auto& view = record_.view;
  if (active_)
    view.seconds = seconds_before_ +
                   static_cast<double>((context_.clock.steady() - started_).count()) / 1000.0;
  active_ = false;
  view.state = state;
  view.eta_s.reset();
  view.edge_bytes_per_s = 0;
  view.peers_bytes_per_s = 0;
  ended(state);
  host_.changed(record_, true);
}

void ChangeRunner::begin_task(TaskKind kind) {
  auto& tasks = record_.view.tasks;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    // A kind may come twice (repair verifies first and last): the next one that is not done.
    if (tasks[i].kind == kind && tasks[i].state == TaskState::pending) {
      for (std::size_t k = 0; k < i; ++k) tasks[k].state = TaskState::done;
      tasks[i].state = TaskState::running;
      current_task_ = i;
      break;
    }
  }
  host_.changed(record_, false);
}

bool ChangeRunner::fetching() const {
  const auto& tasks = record_.view.tasks;
  if (current_task_ >= tasks.size()) return false;
  const auto& current = tasks[current_task_];
  return (current.kind == TaskKind::fetch || current.kind == TaskKind::delta) &&
         current.state == TaskState::running;
}

Task* ChangeRunner::task(TaskKind kind) {
  Task* found = nullptr;
  for (auto& entry : record_.view.tasks)
    if (entry.kind == kind && (found == nullptr || entry.state == TaskState::running))
      found = &entry;
  return found;
}

void ChangeRunner::set_waiting(bool waiting, const std::string& why) {
  auto& view = record_.view;
  view.state = waiting ? ChangeState::waiting : ChangeState::running;
  view.waiting_for = waiting ? why : "";
  if (waiting)
    context_.log.warning("agent", "{} {} waits: {}", name_of(view.kind), view.product, why);
  host_.changed(record_, true);
}

void ChangeRunner::tick() {
  tick_ = context_.timers.after(kProgressEvery, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self || !self->active_) return;
    auto& view = self->record_.view;
    view.seconds =
        self->seconds_before_ +
        static_cast<double>((self->context_.clock.steady() - self->started_).count()) / 1000.0;
    self->update_progress();
    self->host_.changed(self->record_, ++self->ticks_ % kTicksPerRecord == 0);
    self->tick();
  });
}

}  // namespace shoal::agent
