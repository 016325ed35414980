// The swarms in memory: who is in which, and whom to tell of whom. Pure: the time is handed in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "tracker/announce.hpp"

namespace shoal::tracker {

struct RegistryLimits {
  std::size_t max_torrents = 20'000;           // about 1 KB each when small
  std::size_t max_peers = 500'000;             // of all torrents; about 150 bytes each
  std::size_t max_peers_per_torrent = 20'000;  // an announce walks them all
  std::size_t max_peers_per_address = 256;     // and torrent: machines behind one NAT, not a flood
  std::uint32_t interval_s = 300;
  std::uint32_t first_interval_s = 30;  // until the second announce, while the swarm forms
};

struct PeerEntry {
  Address address;
  std::uint16_t port = 0;
  PeerId id{};
  bool is_seed = false;
  SteadyMs last_seen{};
};

struct Counts {
  std::uint32_t seeds = 0;
  std::uint32_t leechers = 0;
  std::uint64_t completed = 0;  // downloads finished since the torrent was first announced
};

struct AnnounceAnswer {
  Counts counts;
  std::uint32_t interval_s = 0;
  std::uint32_t min_interval_s = 0;
  std::vector<PeerEntry> peers;
};

// One thread. A peer is known by its address and port.
class Registry {
 public:
  Registry(const RegistryLimits& limits, std::uint64_t random_seed);

  // Notes the peer and chooses others for it: at random, up to a quarter of them from its own
  // network first, never itself, no seeds for a seed. Where a limit on peers is reached, a new
  // peer is answered but not noted. Errors: source_unavailable when there are too many torrents.
  Result<AnnounceAnswer> announce(const Announce& announce, const Address& from, SteadyMs now);
  std::optional<Counts> counts(const InfoHash& hash) const;
  Counts totals() const;
  std::size_t torrents() const { return swarms_.size(); }

  // Drops peers not heard of for two intervals, and torrents without peers.
  void expire(SteadyMs now);
  void keep_only(const std::function<bool(const InfoHash&)>& is_wanted);

 private:
  struct PeerKey {
    Address address;
    std::uint16_t port = 0;
    bool operator==(const PeerKey&) const = default;
  };
  struct HashBytes {
    std::size_t operator()(const InfoHash& hash) const;
    std::size_t operator()(const Address& address) const;
    std::size_t operator()(const PeerKey& key) const;
  };
  struct Swarm {
    std::vector<PeerEntry> peers;  // in no order
    std::unordered_map<PeerKey, std::size_t, HashBytes> index;
    std::unordered_map<Address, std::size_t, HashBytes> per_address;
    std::uint32_t seeds = 0;
    std::uint64_t completed = 0;
  };

  // Whether the peer was known before.
  bool note(Swarm& swarm, const Announce& announce, const Address& from, SteadyMs now);
  void remove(Swarm& swarm, std::size_t position);
  std::vector<PeerEntry> choose(const Swarm& swarm, const Announce& announce, const Address& from);
  static Counts counts_of(const Swarm& swarm);

  RegistryLimits limits_;
  std::mt19937_64 random_;
  std::unordered_map<InfoHash, Swarm, HashBytes> swarms_;
  std::size_t peers_ = 0;  // of all swarms
};

}  // namespace shoal::tracker
