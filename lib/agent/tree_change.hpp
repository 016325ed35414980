// Install, update and repair: metadata, plan, stage, fetch, verify, commit (design, section 6).
#pragma once

#include "agent/change_runner.hpp"
#include "agent/kept_deltas.hpp"
#include "agent/preparation.hpp"
#include "install/staged_verifier.hpp"

namespace shoal::agent {

class TreeChange final : public ChangeRunner {
 public:
  using ChangeRunner::ChangeRunner;
  void settings_changed() override;
  void set_yielding(bool yielding) override;
  std::uint64_t claimed_bytes(const BeneathDir& library) const override;

 protected:
  std::vector<TaskKind> task_list() const override;
  void run() override;
  void halt() override;
  void ended(ChangeState state) override;
  void update_progress() override;

 private:
  Result<PreparationInput> make_input();
  void prepared(Preparation preparation);
  void planned(install::Plan plan);
  void make_room(std::function<void()> next);
  // Of a plan with deltas: fetches them while the stage reads them. (tree_change_delta.cpp)
  struct DeltaFetch {
    std::shared_ptr<Artifact> artifact;  // null: this component uses none
    std::shared_ptr<install::DeltaFeed> feed;
    bool given_up = false;
    bool unneeded = false;  // everything was staged without its end
    bool waiting = false;   // for a source
    bool is_open() const { return artifact && !given_up && !unneeded; }
  };
  void fetch_deltas();
  void fetch_deltas(std::vector<std::optional<install::StagedComponent>> staged);
  DeltaFetch make_delta(std::size_t component, install::StagedComponent& staged);
  ArtifactListener delta_listener(std::size_t component);
  void delta_waits(std::size_t component, bool waiting, const std::string& why);
  void watch_delta(std::size_t component);
  void look_around(std::size_t component);
  void give_up_delta(std::size_t component, const Error& error);
  void delta_failed(std::size_t component, const Error& error);
  void check_deltas();
  void end_deltas();
  void deltas_settled();
  void note_delta_errors();
  std::vector<FetchedDelta> fetched_deltas();
  KeepRequest keep_request();
  std::optional<store::Document> keep_deltas(const std::vector<FetchedDelta>& fetched,
                                             const KeepRequest& request);
  void take_back_deltas() const;
  void stage();
  void staged(install::Staging staging);
  void fetch();
  ArtifactSource source_of_release() const;  // where its artifacts come from: mirrors, trackers
  void make_artifacts();
  void check_fetched();
  void verify();
  void verified(std::vector<install::StagedDamage> damage);
  void commit();
  Result<CommitRecord> decide(const store::InstallRow& row, std::optional<store::Document> kept);
  void committed(install::CommitOutcome outcome);
  void fetch_missing(Artifact& artifact);
  std::vector<Artifact*> all_artifacts() const;
  void apply_yielding();
  void discard_staged();
  transfer::Policy policy() const;  // the machine's, else the publisher's
  std::string staging() const;      // the name of the staging folder
  ArtifactListener listener(const Artifact& artifact);

  PreparationInput input_;
  std::optional<Preparation> preparation_;
  std::optional<install::Plan> plan_;
  std::uint64_t claimed_bytes_ = 0;  // of disk space, by the plan
  std::optional<install::Staging> staging_;
  std::vector<DeltaFetch> deltas_;                     // by component; empty: the plan has none
  std::vector<std::shared_ptr<Artifact>> artifacts_;   // by component; null for an empty image
  std::unique_ptr<install::StagedVerifier> verifier_;  // from the fetch on
  ByteCounts before_;            // of earlier runs: before a pause, or a restart of the daemon
  bool deltas_settled_ = false;  // fetched, given up, or needed no more
  bool seeding_stopped_ = false;
  bool yielding_ = false;
  int verify_rounds_ = 0;
  // The rate of plain bytes, smoothed, for the ETA.
  std::uint64_t last_fetched_ = 0;
  double rate_ = 0;
};

}  // namespace shoal::agent
