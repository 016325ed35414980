// The steps in a row. Each is a job whose result starts the next, except the fetches, of deltas and
// of what is missing then, which are driven by the artifacts' events until every piece is there.
// While the first lasts, the stage reads what is there of the deltas; while the second does, files
// that are complete are verified already.
#include "agent/tree_change.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "install/kept_delta.hpp"

namespace shoal::agent {
namespace {

// Staged bytes that turn out wrong are fetched again; a disk that keeps damaging them is given up.
constexpr int kMaxVerifyRounds = 3;
// A tree that changes while it is updated is planned anew that often.
constexpr int kMaxPlans = 3;

// Where that fails, staging will say what there is no room for.
void discard_kept(Log& log, const BeneathDir& library) {
  auto discarded = install::discard_kept(library);
  if (!discarded) log.warning("agent", "kept deltas are left: {}", discarded.error().describe());
}

}  // namespace

std::vector<TaskKind> TreeChange::task_list() const {
  if (record_.view.kind == ChangeKind::repair)
    return {TaskKind::verify, TaskKind::plan,   TaskKind::stage,
            TaskKind::fetch,  TaskKind::verify, TaskKind::commit};
  if (record_.view.kind == ChangeKind::update)
    return {TaskKind::metadata, TaskKind::plan,   TaskKind::delta, TaskKind::stage,
            TaskKind::fetch,    TaskKind::verify, TaskKind::commit};
  return {TaskKind::metadata, TaskKind::plan,   TaskKind::stage,
          TaskKind::fetch,    TaskKind::verify, TaskKind::commit};
}

std::string TreeChange::staging() const {
  return staging_name(record_.view.product, record_.view.version);
}

Result<PreparationInput> TreeChange::make_input() {
  PreparationInput input;
  input.kind = record_.view.kind;
  SHOAL_ASSIGN(input.row, host_.install_row(record_.install));
  SHOAL_ASSIGN(input.library, host_.library(input.row.library));
  if (input.kind == ChangeKind::repair) return input;
  SHOAL_ASSIGN(input.client, host_.repository(input.row.repository));
  input.wanted.product = record_.request.product;
  input.wanted.components = record_.request.components;
  input.wanted.version = record_.request.version;
  if (!input.wanted.version) {
    // A change that goes on after a restart keeps its target, whatever the channel says by now.
    if (!record_.view.version.empty()) input.wanted.version = record_.view.version;
    input.wanted.channel = record_.request.channel.value_or(input.row.channel);
    if (input.wanted.channel->empty()) input.wanted.version = input.row.version;  // pinned
  }
  return input;
}

void TreeChange::run() {
  deltas_.clear();
  deltas_settled_ = false;
  artifacts_.clear();
  verifier_.reset();
  staging_.reset();
  plan_.reset();
  claimed_bytes_ = 0;
  verify_rounds_ = 0;
  before_ = record_.view.bytes;
  record_.view.notes.clear();
  auto input = make_input();
  if (!input) return end_failed(input.error());
  input_ = std::move(*input);
  begin_task(input_.kind == ChangeKind::repair ? TaskKind::verify : TaskKind::metadata);
  job<Preparation>(
      [&context = context_, input = input_, stop = stop_] { return prepare(context, input, stop); },
      [this](Preparation preparation) { prepared(std::move(preparation)); });
}

void TreeChange::prepared(Preparation preparation) {
  preparation_ = std::move(preparation);
  auto& view = record_.view;
  view.version = preparation_->release.version;
  view.from_version = preparation_->old ? preparation_->old->release.version : "";
  view.notes = preparation_->notes;
  host_.changed(record_, true);
  begin_task(TaskKind::plan);
  job<install::Plan>(
      [this, stop = stop_] {
        take_back_deltas();
        return plan_between(*preparation_, input_, stop);
      },
      [this](install::Plan plan) { planned(std::move(plan)); });
}

void TreeChange::planned(install::Plan plan) {
  plan_ = std::move(plan);
  claimed_bytes_ = plan_->totals.peak_extra_bytes;
  bool same_version = record_.view.version == record_.view.from_version;
  if (plan_->nothing_to_do && same_version && input_.kind != ChangeKind::repair) {
    record_.view.notes.push_back({"", "nothing_to_do"});
    return end_done();
  }
  for (const auto& path : plan_->moved_aside)
    if (record_.view.notes.size() < kMaxNotes)
      record_.view.notes.push_back({path.text(), "moved_aside"});
  if (context_.step) context_.step("plan.done");
  if (!plan_->needs_kept_room) return fetch_deltas();
  make_room([this] { fetch_deltas(); });
}

// What is kept for others goes: from the swarm first, then from the disk.
void TreeChange::make_room(std::function<void()> next) {
  host_.give_up_kept_deltas(*input_.library);
  job<bool>(
      [library = input_.library, &log = context_.log]() -> Result<bool> {
        discard_kept(log, *library);
        return true;
      },
      [this, next = std::move(next)](bool) {
        host_.review_kept_deltas();  // what began to be offered meanwhile
        next();
      });
}

std::uint64_t TreeChange::claimed_bytes(const BeneathDir& library) const {
  return input_.library == &library ? claimed_bytes_ : 0;
}

void TreeChange::stage() {
  if (deltas_.empty()) begin_task(TaskKind::stage);  // else when they are fetched
  install::DeltaFeeds deltas;
  for (const auto& delta : deltas_) deltas.push_back(delta.feed);
  job<install::Staging>(
      [this, &context = context_, name = staging(), stop = stop_,
       deltas]() -> Result<install::Staging> {
        for (int round = 1;; ++round) {
          auto staged = install::stage(*input_.library, name, *plan_, context.workers, stop,
                                       context.step, deltas);
          bool outdated = !staged && staged.error().kind == ErrorKind::conflict;
          if (!outdated || round == kMaxPlans) return staged;
          // A file changed after the plan was made: plan with what is there now.
          SHOAL_ASSIGN(plan_, plan_between(*preparation_, input_, stop));
          // The swarm finds out by the stamps, and is told when the stage is over.
          if (plan_->needs_kept_room) discard_kept(context.log, *input_.library);
        }
      },
      [this](install::Staging result) { staged(std::move(result)); });
}

void TreeChange::staged(install::Staging staging) {
  end_deltas();
  if (plan_->needs_kept_room) host_.review_kept_deltas();
  staging_ = std::move(staging);
  record_.view.bytes.reused = std::max(before_.reused, staging_->reused_bytes);
  record_.view.bytes.delta = std::max(before_.delta, staging_->delta_bytes);
  note_delta_errors();
  context_.log.info("agent",
                    "{} {}: staged: {} bytes reused, {} by delta ({} of them found), {} written",
                    record_.view.product, record_.view.version, staging_->reused_bytes,
                    staging_->delta_bytes, staging_->delta_found_bytes, staging_->written_bytes);
  if (context_.step) context_.step("stage.done");
  fetch();
}

ArtifactSource TreeChange::source_of_release() const {
  const auto& release = preparation_->release;
  ArtifactSource source;
  source.mirrors = release.mirrors;
  source.repository = input_.row.repository;
  source.trackers = release.trackers;
  source.dht_allowed = release.dht_allowed && host_.settings().dht;
  return source;
}

void TreeChange::make_artifacts() {
  const auto& release = preparation_->release;
  for (std::size_t i = 0; i < release.components.size(); ++i) {
    const auto& component = release.components[i];
    auto& staged = staging_->components[i];
    if (component.target.component->content.piece_count() == 0) {
      artifacts_.push_back(nullptr);
      continue;
    }
    auto source = source_of_release();
    source.id = component.artifact;
    source.torrent = component.torrent;
    source.piece_hashes = component.target.piece_hashes;
    source.index = component.target.index;
    source.image = staged.image;
    source.map = std::make_shared<content::ImageMap>(*component.target.component);
    artifacts_.push_back(
        std::make_shared<Artifact>(context_, std::move(source), staged.have, staged.partial));
  }
}

ArtifactListener TreeChange::listener(const Artifact& artifact) {
  auto self = std::weak_ptr<TreeChange>(std::static_pointer_cast<TreeChange>(shared_from_this()));
  auto here = std::ranges::find(artifacts_, &artifact, [](const auto& each) { return each.get(); });
  auto component = static_cast<std::uint32_t>(here - artifacts_.begin());
  return {[self, component](PieceIndex piece) {
            if (auto change = self.lock(); change && change->verifier_)
              change->verifier_->piece_stored(component, piece);
          },
          [self] {
            if (auto change = self.lock()) change->check_fetched();
          },
          [self](Error error) {
            // Once every piece is there a job decides; the artifact joins again after the commit.
            if (auto change = self.lock(); change && !change->job_running())
              change->end_failed(error);
          },
          [self](bool waiting, const std::string& why) {
            if (auto change = self.lock()) change->set_waiting(waiting, why);
          }};
}

void TreeChange::fetch() {
  begin_task(TaskKind::fetch);
  make_artifacts();
  verifier_ = std::make_unique<install::StagedVerifier>(*input_.library, *plan_, *staging_,
                                                        context_.workers, stop_);
  auto shared_with_old = [&](const auto& artifact) {
    return artifact && preparation_->old &&
           std::ranges::any_of(preparation_->old->release.components, [&](const auto& component) {
             return component.artifact == artifact->id();
           });
  };
  if (std::ranges::any_of(artifacts_, shared_with_old)) {
    host_.stop_seeding(record_.install);
    seeding_stopped_ = true;
  }
  for (auto& artifact : artifacts_)
    if (artifact && !artifact->complete()) fetch_missing(*artifact);
  if (yielding_) apply_yielding();
  check_fetched();
}

transfer::Policy TreeChange::policy() const {
  return host_.settings().policy.value_or(preparation_->release.policy);
}

void TreeChange::fetch_missing(Artifact& artifact) {
  auto settings = host_.settings();
  artifact.fetch(settings.consent, policy(), settings.node, listener(artifact));
}

void TreeChange::set_yielding(bool yielding) {
  if (std::exchange(yielding_, yielding) != yielding) apply_yielding();
}

std::vector<Artifact*> TreeChange::all_artifacts() const {
  std::vector<Artifact*> all;
  for (const auto& delta : deltas_)
    if (delta.artifact) all.push_back(delta.artifact.get());
  for (const auto& artifact : artifacts_)
    if (artifact) all.push_back(artifact.get());
  return all;
}

void TreeChange::apply_yielding() {
  bool fetches = false;
  for (auto* artifact : all_artifacts()) {
    if (!artifact->fetching() || artifact->complete()) continue;
    artifact->set_yielding(yielding_);
    fetches = true;
  }
  if (fetches) set_waiting(yielding_, "a change in the foreground comes first");
}

void TreeChange::check_fetched() {
  for (const auto& artifact : artifacts_)
    if (artifact && !artifact->complete()) return;
  if (context_.step) context_.step("fetch.done");
  verify();
}

void TreeChange::verify() {
  update_progress();
  begin_task(TaskKind::verify);
  using Damage = std::vector<install::StagedDamage>;
  job<Damage>(
      [this, &context = context_, stop = stop_] {
        verifier_->finish();
        return install::verify_staged(*input_.library, *plan_, *staging_, context.workers, stop);
      },
      [this](Damage damage) { verified(std::move(damage)); });
}

void TreeChange::verified(std::vector<install::StagedDamage> damage) {
  if (damage.empty()) return commit();
  if (++verify_rounds_ == kMaxVerifyRounds)
    return end_failed({ErrorKind::verification_failed,
                       fmt::format("{} staged files are damaged again and again", damage.size()),
                       "The disk damages what is written to it: check it."});
  for (auto& entry : record_.view.tasks)
    if (entry.kind == TaskKind::fetch || &entry == task(TaskKind::verify))
      entry.state = TaskState::pending;
  begin_task(TaskKind::fetch);
  std::vector<std::vector<PieceIndex>> lost(artifacts_.size());
  for (const auto& file : damage)
    lost[file.component].insert(lost[file.component].end(), file.pieces.begin(), file.pieces.end());
  for (std::size_t i = 0; i < lost.size(); ++i) {
    if (lost[i].empty() || !artifacts_[i]) continue;
    if (!artifacts_[i]->fetching()) fetch_missing(*artifacts_[i]);
    artifacts_[i]->pieces_lost(lost[i]);
  }
  if (yielding_) apply_yielding();
}

void TreeChange::commit() {
  begin_task(TaskKind::commit);
  for (auto& delta : deltas_)
    if (delta.artifact) delta.artifact->stop();  // its file goes, or moves
  host_.stop_seeding(record_.install);
  seeding_stopped_ = true;
  committing_ = true;
  auto row = input_.row;
  row.version = record_.view.version;
  if (record_.request.kind == ChangeKind::install)
    row.channel = record_.request.version ? "" : record_.request.channel.value_or("stable");
  row.updated_at = context_.clock.now();
  job<install::CommitOutcome>(
      [this, &context = context_, row, fetched = fetched_deltas(),
       request = keep_request()]() -> Result<install::CommitOutcome> {
        if (context.step) context.step("commit.keep");
        auto record = decide(row, keep_deltas(fetched, request));
        if (!record) {
          take_back_deltas();
          return fail(record.error());
        }
        if (context.step) context.step("commit.point");
        return carry_out(context.store, *input_.library, *record, context.step);
      },
      [this](install::CommitOutcome outcome) { committed(std::move(outcome)); });
}

// The commit point: once this succeeds, the change will be made.
Result<CommitRecord> TreeChange::decide(const store::InstallRow& row,
                                        std::optional<store::Document> kept) {
  SHOAL_ASSIGN(auto journal,
               install::prepare_commit(*input_.library, *plan_, *staging_, staging()));
  auto record = make_commit_record(row, record_.view.id, preparation_->release, std::move(journal));
  if (kept) record.documents.push_back(std::move(*kept));
  if (context_.step) context_.step("commit.before");
  SHOAL_TRY(context_.store.begin_commit(row.id, format_commit_record(record)));
  return record;
}

void TreeChange::committed(install::CommitOutcome outcome) {
  update_progress();
  for (std::size_t i = 0; i < artifacts_.size(); ++i)
    if (artifacts_[i]) artifacts_[i]->image().seal(outcome.stamps[i]);
  for (const auto& path : outcome.moved_aside) {
    if (record_.view.notes.size() == kMaxNotes) break;
    record_.view.notes.push_back({path, "saved"});
  }
  std::erase(artifacts_, nullptr);
  seeding_stopped_ = false;
  host_.start_seeding(record_.install, std::move(artifacts_));
  artifacts_.clear();
  deltas_.clear();
  end_done();
}

void TreeChange::settings_changed() {
  auto settings = host_.settings();
  for (auto* artifact : all_artifacts()) {
    artifact->set_consent(settings.consent);
    artifact->set_policy(policy());
  }
}

void TreeChange::halt() {
  for (auto* artifact : all_artifacts()) artifact->stop();
}

void TreeChange::ended(ChangeState state) {
  committing_ = false;
  if (state == ChangeState::cancelled) discard_staged();
  if (state != ChangeState::done && std::exchange(seeding_stopped_, false))
    host_.start_seeding(record_.install, {});
  deltas_.clear();
  artifacts_.clear();
  verifier_.reset();
  staging_.reset();
  plan_.reset();
  preparation_.reset();
}

void TreeChange::discard_staged() {
  const BeneathDir* folder = input_.library;
  if (folder == nullptr) {  // it did not run in this process
    auto row = host_.install_row(record_.install);
    if (!row) return;
    auto opened = host_.library(row->library);
    if (!opened) return;  // no library, nothing staged in it
    folder = *opened;
  }
  auto discarded = install::discard_staging(*folder, staging());
  const auto& view = record_.view;
  if (discarded && !view.version.empty() && view.version != view.from_version)
    discarded = install::discard_kept(*folder, view.product, view.version);
  if (!discarded)
    context_.log.warning("agent", "staged files are left: {}", discarded.error().describe());
}

}  // namespace shoal::agent
