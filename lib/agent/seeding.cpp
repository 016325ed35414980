// An install's artifacts, made from its record: the torrents as signed, the trees as they are now.
#include "agent/seeding.hpp"

#include <algorithm>

#include "content/torrent.hpp"
#include "install/kept_delta.hpp"

namespace shoal::agent {
namespace {

using Artifacts = std::vector<std::shared_ptr<Artifact>>;

Result<Artifacts> load_artifacts(const Context& context, const store::InstallRow& row,
                                 const BeneathDir& library, bool dht) {
  SHOAL_ASSIGN(auto record, load_record(context.store, row.id));
  SHOAL_ASSIGN(auto folder, RelativePath::parse(row.folder));
  auto installed = record.installed();
  Artifacts artifacts;
  for (std::size_t i = 0; i < installed.size(); ++i) {
    if (installed[i].component->content.piece_count() == 0) continue;
    ArtifactSource source;
    source.id = record.release.components[i].artifact;
    source.torrent = std::move(record.release.components[i].torrent);
    source.image = install::TreeImage::of_installed(library, folder, installed[i]);
    source.trackers = record.release.trackers;
    source.dht_allowed = record.release.dht_allowed && dht;
    auto have = source.image->complete_pieces();
    if (have.count() == 0) continue;
    artifacts.push_back(std::make_shared<Artifact>(context, std::move(source), std::move(have),
                                                   transfer::BlockMap{}));
  }
  return artifacts;
}

}  // namespace

void Seeding::adopt(std::int64_t install, Artifacts artifacts, transfer::Consent consent) {
  stop(install);
  consent_ = consent;
  for (auto& artifact : artifacts) artifact->seed(consent);
  by_install_[install] = std::move(artifacts);
}

void Seeding::start(const store::InstallRow& row, const BeneathDir& library,
                    transfer::Consent consent) {
  stop(row.id);
  consent_ = consent;
  auto generation = generation_[row.id];
  run_job<Artifacts>(
      context_,
      [&context = context_, row, &library, dht = dht_] {
        return load_artifacts(context, row, library, dht);
      },
      [this, row, generation](Result<Artifacts> artifacts) {
        if (generation_[row.id] != generation) return;
        if (!artifacts)
          return context_.log.warning("agent", "cannot seed {}: {}", row.product,
                                      artifacts.error().describe());
        for (auto& artifact : *artifacts) artifact->seed(consent_);
        by_install_[row.id] = std::move(*artifacts);
      });
}

void Seeding::start_deltas(const store::InstallRow& row, const BeneathDir& library) {
  run_job<std::optional<KeptDeltas>>(
      context_,
      [&context = context_, row, &library, dht = dht_] {
        return load_kept_deltas(context, row, library, dht);
      },
      [this, row, &library, generation = generation_[row.id],
       given_up = given_up_](Result<std::optional<KeptDeltas>> kept) {
        if (generation_[row.id] != generation) return;
        if (!kept) {
          context_.log.warning("agent", "cannot offer the deltas of {}: {}", row.product,
                               kept.error().describe());
          return discard_kept(library, row.product, row.version);
        }
        if (!*kept) return;
        if (given_up_ != given_up) return start_deltas(row, library);
        auto& deltas =
            deltas_.insert_or_assign(row.id, Deltas{row.product, &library, std::move(**kept)})
                .first->second.kept;
        if (!is_worth_keeping(deltas)) return drop_deltas(row.id);
        for (auto& artifact : deltas.artifacts) artifact->seed(consent_);
        context_.log.info("agent", "{}: offers what it was updated by, {} bytes", row.product,
                          deltas.bytes);
      });
}

bool Seeding::is_worth_keeping(const KeptDeltas& kept) const {
  return agent::is_worth_keeping(
      {consent_, context_.clock.now() - kept.since, kept.bytes, kept.free_bytes, keep_deltas_});
}

void Seeding::review_deltas() {
  struct Now {
    std::uint64_t free_bytes = 0;
    bool there = false;
  };
  for (const auto& [install, deltas] : deltas_) {
    run_job<Now>(
        context_,
        [library = deltas.library, artifacts = deltas.kept.artifacts]() -> Result<Now> {
          Now now;
          SHOAL_ASSIGN(now.free_bytes, library->free_bytes());
          now.there = std::ranges::all_of(artifacts, [](const auto& artifact) {
            return artifact->image().complete_pieces().count() > 0;
          });
          return now;
        },
        [this, install = install, generation = generation_[install]](Result<Now> now) {
          auto found = deltas_.find(install);
          if (found == deltas_.end() || generation_[install] != generation) return;
          if (now) found->second.kept.free_bytes = now->free_bytes;
          if (!now || !now->there || !is_worth_keeping(found->second.kept)) drop_deltas(install);
        });
  }
}

void Seeding::drop_deltas(std::int64_t install) {
  const auto& [product, library, kept] = deltas_.at(install);
  discard_kept(*library, product, kept.version);
  stop_deltas(install);
}

void Seeding::discard_kept(const BeneathDir& library, const std::string& product,
                           const std::string& version) {
  run_job<bool>(
      context_,
      [&library, product, version]() -> Result<bool> {
        SHOAL_TRY(install::discard_kept(library, product, version));
        return true;
      },
      [&context = context_, product](Result<bool> removed) {
        if (!removed)
          context.log.warning("agent", "deltas of {} are left: {}", product,
                              removed.error().describe());
      });
}

void Seeding::give_up_deltas(const BeneathDir& library) {
  ++given_up_;
  std::vector<std::int64_t> gone;
  for (const auto& [install, deltas] : deltas_)
    if (deltas.library == &library) gone.push_back(install);
  for (auto install : gone) stop_deltas(install);
}

void Seeding::stop(std::int64_t install, const Artifacts& artifacts) {
  for (const auto& artifact : artifacts) {
    uploaded_before_[install] += artifact->counters().uploaded_bytes;
    artifact->stop();
  }
}

void Seeding::stop_deltas(std::int64_t install) {
  auto found = deltas_.find(install);
  if (found == deltas_.end()) return;
  stop(install, found->second.kept.artifacts);
  deltas_.erase(found);
}

void Seeding::stop(std::int64_t install) {
  ++generation_[install];
  stop_deltas(install);
  auto found = by_install_.find(install);
  if (found == by_install_.end()) return;
  stop(install, found->second);
  by_install_.erase(found);
}

void Seeding::stop_all() {
  while (!by_install_.empty()) stop(by_install_.begin()->first);
  while (!deltas_.empty()) stop(deltas_.begin()->first);
}

void Seeding::set_consent(transfer::Consent consent) {
  consent_ = consent;
  for (auto& [install, artifacts] : by_install_)
    for (auto& artifact : artifacts) artifact->set_consent(consent);
  for (auto& [install, deltas] : deltas_)
    for (auto& artifact : deltas.kept.artifacts) artifact->set_consent(consent);
  review_deltas();
}

Seeding::Totals Seeding::totals(std::int64_t install) const {
  Totals totals;
  if (auto before = uploaded_before_.find(install); before != uploaded_before_.end())
    totals.uploaded_bytes = before->second;
  auto add = [&totals](const Artifacts& artifacts) {
    for (const auto& artifact : artifacts) {
      auto counters = artifact->counters();
      totals.uploaded_bytes += counters.uploaded_bytes;
      totals.peers += counters.peers;
    }
  };
  if (auto found = by_install_.find(install); found != by_install_.end()) {
    totals.seeding = consent_ != transfer::Consent::denied && !found->second.empty();
    add(found->second);
  }
  if (auto found = deltas_.find(install); found != deltas_.end()) {
    totals.kept_delta_bytes = found->second.kept.bytes;
    add(found->second.kept.artifacts);
  }
  return totals;
}

}  // namespace shoal::agent
