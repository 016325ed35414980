// A swarm without peers: stores what is delivered and remembers what it was told.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/executor.hpp"
#include "transfer/swarm.hpp"

namespace shoal::test {

struct FakeSwarm final : transfer::Swarm {
  explicit FakeSwarm(Executor& main_thread) : main(main_thread) {}

  struct Entry {
    transfer::SwarmArtifact description;
    transfer::SwarmEvents* listener;
  };
  std::map<transfer::ArtifactId, Entry> artifacts;
  transfer::Consent consent = transfer::Consent::denied;
  transfer::RateLimits limits;
  std::optional<transfer::SwarmView> view_on_add;  // what is told of each artifact at first
  std::size_t adds = 0;
  std::size_t delivered = 0;

  Result<void> add(const transfer::ArtifactId& artifact, transfer::SwarmArtifact description,
                   transfer::SwarmEvents& listener) override {
    if (artifacts.contains(artifact)) return fail(ErrorKind::conflict, "already in the swarm");
    ++adds;
    auto pieces = description.have.size();
    artifacts[artifact] = {std::move(description), &listener};
    if (view_on_add) {
      auto view = *view_on_add;
      view.availability.assign(pieces, static_cast<std::uint16_t>(view.peers.size()));
      listener.swarm_view(artifact, view);
    }
    return {};
  }
  void remove(const transfer::ArtifactId& artifact) override { artifacts.erase(artifact); }
  void deliver(const transfer::ArtifactId& artifact, PieceIndex piece, Bytes bytes) override {
    ++delivered;
    auto found = artifacts.find(artifact);
    if (found == artifacts.end()) return;
    auto written =
        found->second.description.store->write(std::uint64_t{piece.value()} * bytes.size(), bytes);
    main.post([this, artifact, piece, written] {
      auto entry = artifacts.find(artifact);
      if (entry == artifacts.end()) return;
      if (written)
        entry->second.listener->swarm_piece_done(artifact, piece, false);
      else
        entry->second.listener->swarm_store_failed(artifact, written.error());
    });
  }
  void set_reserved(const transfer::ArtifactId&, const std::vector<PieceIndex>&) override {}
  void set_consent(transfer::Consent value) override { consent = value; }
  void set_limits(const transfer::RateLimits& value) override { limits = value; }

 private:
  Executor& main;
};

}  // namespace shoal::test
