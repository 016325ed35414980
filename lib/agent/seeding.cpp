// An install's artifacts, made from its record: the torrents as signed, the trees as they are now.
#include "agent/seeding.hpp"

#include "content/torrent.hpp"

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

void Seeding::stop(std::int64_t install) {
  ++generation_[install];
  auto found = by_install_.find(install);
  if (found == by_install_.end()) return;
  for (auto& artifact : found->second) {
    uploaded_before_[install] += artifact->counters().uploaded_bytes;
    artifact->stop();
  }
  by_install_.erase(found);
}

void Seeding::stop_all() {
  while (!by_install_.empty()) stop(by_install_.begin()->first);
}

void Seeding::set_consent(transfer::Consent consent) {
  consent_ = consent;
  for (auto& [install, artifacts] : by_install_)
    for (auto& artifact : artifacts) artifact->set_consent(consent);
}

Seeding::Totals Seeding::totals(std::int64_t install) const {
  Totals totals;
  if (auto before = uploaded_before_.find(install); before != uploaded_before_.end())
    totals.uploaded_bytes = before->second;
  auto found = by_install_.find(install);
  if (found == by_install_.end()) return totals;
  totals.seeding = consent_ != transfer::Consent::denied && !found->second.empty();
  for (const auto& artifact : found->second) {
    auto counters = artifact->counters();
    totals.uploaded_bytes += counters.uploaded_bytes;
    totals.peers += counters.peers;
  }
  return totals;
}

}  // namespace shoal::agent
