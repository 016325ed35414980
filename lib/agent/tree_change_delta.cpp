// The deltas of an update: each is an artifact of its own, fetched from edge and swarm like any
// other, and offered to peers meanwhile and afterwards (kept_deltas.hpp). The stage runs meanwhile,
// as a job, and waits for the pieces it needs; nothing here waits for the stage. One that cannot be
// had is done without: the stage then takes the component's recipes.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "agent/tree_change.hpp"
#include "install/delta_file.hpp"
#include "install/kept_delta.hpp"
#include "trust/mirrors.hpp"

namespace shoal::agent {
namespace {

// So long a delta is waited for, while the network is up, as far as can be told.
constexpr std::chrono::milliseconds kPatience{15'000};

// Nobody has it, or all have it wrong; as opposed to a network that is down, which passes.
bool is_hopeless(const std::optional<Error>& error) {
  return error && error->kind != ErrorKind::network && error->kind != ErrorKind::network_timeout;
}

}  // namespace

void TreeChange::fetch_deltas() {
  auto uses_delta = [](const install::ComponentPlan& component) {
    return component.choice.way == install::Way::delta;
  };
  if (!std::ranges::any_of(plan_->components, uses_delta)) return stage();
  begin_task(TaskKind::delta);
  using Staged = std::vector<std::optional<install::StagedComponent>>;
  job<Staged>(
      [this, &context = context_, name = staging(), stop = stop_, uses_delta]() -> Result<Staged> {
        Staged all(plan_->components.size());
        for (std::size_t c = 0; c < all.size(); ++c) {
          const auto& component = plan_->components[c];
          if (!uses_delta(component)) continue;
          const auto& delta = *preparation_->release.components[c].delta;
          const auto& of = component.target.component->name;
          SHOAL_ASSIGN(all[c], install::stage_delta(*input_.library, name, of, *delta.artifact,
                                                    *delta.piece_hashes, context.workers, stop));
        }
        return all;
      },
      [this](Staged all) { fetch_deltas(std::move(all)); });
}

void TreeChange::fetch_deltas(std::vector<std::optional<install::StagedComponent>> staged) {
  deltas_.resize(staged.size());
  for (std::size_t c = 0; c < staged.size(); ++c)
    if (staged[c]) deltas_[c] = make_delta(c, *staged[c]);
  stage();
  auto settings = host_.settings();
  for (std::size_t c = 0; c < deltas_.size(); ++c)
    if (auto& artifact = deltas_[c].artifact; artifact && !artifact->complete())
      artifact->fetch(settings.consent, policy(), settings.node, delta_listener(c));
  if (yielding_) apply_yielding();
  check_deltas();
}

TreeChange::DeltaFetch TreeChange::make_delta(std::size_t component,
                                              install::StagedComponent& staged) {
  const auto& delta = *preparation_->release.components[component].delta;
  auto feed = std::make_shared<install::DeltaFeed>(staged.image, staged.have);
  auto source = source_of_release();
  source.id = delta.artifact->info_hash;
  source.torrent = delta.torrent;
  source.piece_hashes = delta.piece_hashes;
  source.index = delta.index;
  source.image = staged.image;
  source.map = std::make_shared<content::ImageMap>(install::delta_component(*delta.artifact));
  source.needed_next = [feed] { return feed->position(); };
  auto artifact = std::make_shared<Artifact>(context_, std::move(source), std::move(staged.have),
                                             std::move(staged.partial));
  return {std::move(artifact), std::move(feed)};
}

ArtifactListener TreeChange::delta_listener(std::size_t component) {
  auto self = std::weak_ptr<TreeChange>(std::static_pointer_cast<TreeChange>(shared_from_this()));
  return {[feed = deltas_[component].feed](PieceIndex piece) { feed->arrived(piece); },
          [self] {
            if (auto change = self.lock()) change->check_deltas();
          },
          [self, component](Error error) {
            if (auto change = self.lock()) change->delta_failed(component, error);
          },
          [self, component](bool waiting, const std::string& why) {
            if (auto change = self.lock()) change->delta_waits(component, waiting, why);
          }};
}

// What is wrong with its bytes is no more than that; anything else (a full disk) ends the change:
// once the stage, which is told of it, has come back.
void TreeChange::delta_failed(std::size_t component, const Error& error) {
  if (error.kind == ErrorKind::verification_failed) return give_up_delta(component, error);
  deltas_[component].feed->fail(error);
}

void TreeChange::delta_waits(std::size_t component, bool waiting, const std::string& why) {
  auto& delta = deltas_[component];
  delta.waiting = waiting;
  set_waiting(waiting, why);
  if (!waiting) return;
  const auto& last = delta.artifact->last_edge_error();
  if (is_hopeless(last)) return give_up_delta(component, *last);
  watch_delta(component);
}

void TreeChange::watch_delta(std::size_t component) {
  const auto& delta = deltas_[component];
  context_.timers.after(
      kPatience, [weak = weak_from_this(), component, artifact = std::weak_ptr(delta.artifact)] {
        auto self = std::static_pointer_cast<TreeChange>(weak.lock());
        if (!self || component >= self->deltas_.size()) return;
        const auto& fetch = self->deltas_[component];
        if (fetch.artifact == artifact.lock() && fetch.waiting) self->look_around(component);
      });
}

// A network that is down is no reason to take a dearer way; one object that cannot be had while
// others can is: a bundle that was cut short, say, of which every mirror gives no more than a part.
void TreeChange::look_around(std::size_t component) {
  auto& delta = deltas_[component];
  run_job<bool>(
      context_,
      [&context = context_, mirrors = preparation_->release.mirrors]() -> Result<bool> {
        SHOAL_ASSIGN(auto fetcher, context.make_fetcher(mirrors));
        trust::Limits limits;
        limits.mirrors_asked = fetcher->mirrors();
        return trust::Mirrors(*fetcher, limits)
            .fetch("metadata/timestamp.json", limits.timestamp_bytes,
                   [](ByteView) { return Result<void>(); })
            .has_value();
      },
      [weak = weak_from_this(), component,
       artifact = std::weak_ptr(delta.artifact)](Result<bool> up) {
        auto self = std::static_pointer_cast<TreeChange>(weak.lock());
        if (!self || component >= self->deltas_.size()) return;
        auto& fetch = self->deltas_[component];
        if (fetch.artifact != artifact.lock() || !fetch.waiting) return;
        const auto& last = fetch.artifact->last_edge_error();
        if (up && *up && last) return self->give_up_delta(component, *last);
        self->watch_delta(component);
      });
}

void TreeChange::give_up_delta(std::size_t component, const Error& error) {
  auto& delta = deltas_[component];
  delta.given_up = true;
  if (std::exchange(delta.waiting, false)) set_waiting(false, "");
  delta.artifact->stop();
  delta.feed->give_up(error);
  const auto& name = preparation_->release.components[component].target.component->name;
  context_.log.warning("agent", "the delta of {} {} is not used: {}", record_.view.product, name,
                       error.describe());
  record_.view.notes.push_back({"", fmt::format("delta_not_used: {}", error.message)});
  check_deltas();
}

void TreeChange::check_deltas() {
  for (const auto& delta : deltas_)
    if (delta.is_open() && !delta.artifact->complete()) return;
  deltas_settled();
}

// The stage is over: what it could do without is not fetched.
void TreeChange::end_deltas() {
  for (auto& delta : deltas_) {
    if (!delta.is_open() || delta.artifact->complete()) continue;
    delta.unneeded = true;
    if (std::exchange(delta.waiting, false)) set_waiting(false, "");
    delta.artifact->stop();
  }
  if (!deltas_.empty()) deltas_settled();
}

void TreeChange::deltas_settled() {
  if (std::exchange(deltas_settled_, true)) return;
  if (context_.step) context_.step("delta.fetched");
  auto consent = host_.settings().consent;
  for (const auto& delta : deltas_)
    if (delta.is_open()) delta.artifact->seed(consent);
  begin_task(TaskKind::stage);
}

std::vector<FetchedDelta> TreeChange::fetched_deltas() {
  std::vector<FetchedDelta> fetched;
  for (std::size_t c = 0; c < deltas_.size(); ++c) {
    const auto& delta = deltas_[c];
    if (!delta.is_open() || !delta.artifact->complete()) continue;
    const auto& component = preparation_->release.components[c];
    fetched.push_back(
        {component.target.component->name, *component.delta, delta.artifact->shared_image()});
  }
  return fetched;
}

KeepRequest TreeChange::keep_request() {
  auto settings = host_.settings();
  return {input_.library, staging(), settings.consent, settings.keep_deltas,
          host_.claimed_bytes(*input_.library, record_.view.id)};
}

// On the commit's job. That something cannot be kept for others is no reason to fail.
std::optional<store::Document> TreeChange::keep_deltas(const std::vector<FetchedDelta>& fetched,
                                                       const KeepRequest& request) {
  const auto& release = preparation_->release;
  const bool same_version = record_.view.version == record_.view.from_version;
  auto kept = same_version ? kept_deltas_document(context_.store, record_.install)
                           : agent::keep_deltas(context_, request, release, fetched);
  if (kept) return *kept;
  context_.log.warning("agent", "the deltas of {} are not kept: {}", release.product,
                       kept.error().describe());
  (void)install::discard_kept(*request.library, release.product);
  return std::nullopt;
}

// Of a run that ended between keeping them and its commit. One that is not taken back is fetched
// again.
void TreeChange::take_back_deltas() const {
  const auto& release = preparation_->release;
  for (const auto& component : release.components) {
    if (!component.delta) continue;
    const auto& name = component.target.component->name;
    auto taken = install::take_back_delta(*input_.library, staging(),
                                          {release.product, release.version, name});
    if (!taken)
      context_.log.warning("agent", "a delta of {} is fetched again: {}", release.product,
                           taken.error().describe());
  }
}

// What the stage found wrong with a delta, or with the old files.
void TreeChange::note_delta_errors() {
  for (std::size_t c = 0; c < staging_->components.size(); ++c) {
    const auto& component = staging_->components[c];
    bool is_told = c < deltas_.size() && deltas_[c].given_up;
    if (!component.delta_error || is_told) continue;
    context_.log.warning("agent", "the delta of {} did not make everything: {}",
                         record_.view.product, component.delta_error->describe());
    record_.view.notes.push_back(
        {"", fmt::format("delta_not_used: {}", component.delta_error->message)});
  }
}

}  // namespace shoal::agent
