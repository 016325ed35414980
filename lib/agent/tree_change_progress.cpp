// What a change that fetches says of itself, from the counters of its artifacts and of the staging.
#include <algorithm>

#include "agent/tree_change.hpp"

namespace shoal::agent {
namespace {

void add(ArtifactCounters& sum, const ArtifactCounters& counters) {
  sum.total_bytes += counters.total_bytes;
  sum.fetched_bytes += counters.fetched_bytes;
  sum.written_bytes += counters.written_bytes;
  sum.edge_bytes += counters.edge_bytes;
  sum.peer_bytes += counters.peer_bytes;
  sum.lan_bytes += counters.lan_bytes;
  sum.uploaded_bytes += counters.uploaded_bytes;
  sum.edge_bytes_per_s += counters.edge_bytes_per_s;
  sum.peer_bytes_per_s += counters.peer_bytes_per_s;
  sum.peers += counters.peers;
}

void show(Task* task, const ArtifactCounters& counters) {
  if (task == nullptr) return;
  task->done_bytes = counters.fetched_bytes;
  task->total_bytes = counters.total_bytes;
}

}  // namespace

void TreeChange::update_progress() {
  if (artifacts_.empty() && deltas_.empty()) return;  // not yet, or handed over
  auto& view = record_.view;
  ArtifactCounters of_deltas;
  ArtifactCounters of_content;
  std::uint64_t made_bytes = 0;  // until the stage has counted what is right
  for (const auto& delta : deltas_) {
    if (!delta.artifact) continue;
    made_bytes += delta.feed->made_bytes();
    auto counters = delta.artifact->counters();
    if (!delta.is_open()) counters.total_bytes = counters.fetched_bytes;  // no more will come
    add(of_deltas, counters);
  }
  for (const auto& artifact : artifacts_)
    if (artifact) add(of_content, artifact->counters());
  ArtifactCounters sum = of_deltas;
  add(sum, of_content);
  auto staged = [this](std::uint64_t install::Staging::* count) {
    return staging_ ? (*staging_).*count : 0;
  };
  view.bytes = {sum.total_bytes,
                before_.edge + sum.edge_bytes,
                before_.peers + sum.peer_bytes,
                before_.lan + sum.lan_bytes,
                std::max(before_.reused, staged(&install::Staging::reused_bytes)),
                before_.written + staged(&install::Staging::written_bytes) + sum.written_bytes,
                before_.uploaded + sum.uploaded_bytes,
                sum.fetched_bytes,
                std::max(before_.delta, staging_ ? staging_->delta_bytes : made_bytes)};
  view.edge_bytes_per_s = sum.edge_bytes_per_s;
  view.peers_bytes_per_s = sum.peer_bytes_per_s;
  view.peers_connected = sum.peers;
  show(task(TaskKind::delta), of_deltas);
  show(task(TaskKind::fetch), of_content);
  // Twice a second: an exponential average over about four seconds.
  constexpr double kWeight = 0.12;
  double now =
      2.0 * static_cast<double>(sum.fetched_bytes - std::min(last_fetched_, sum.fetched_bytes));
  rate_ = rate_ == 0 ? now : (1 - kWeight) * rate_ + kWeight * now;
  last_fetched_ = sum.fetched_bytes;
  view.eta_s.reset();
  if (rate_ > 1 && sum.total_bytes > sum.fetched_bytes)
    view.eta_s = static_cast<std::uint64_t>(
        static_cast<double>(sum.total_bytes - sum.fetched_bytes) / rate_);
}

}  // namespace shoal::agent
