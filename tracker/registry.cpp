// A swarm is a vector of peers with an index by address and port; removal swaps with the last. An
// answer is drawn by a partial shuffle of positions, so each peer is equally likely and none comes
// twice.
#include "tracker/registry.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_set>

namespace shoal::tracker {
namespace {

constexpr std::uint32_t kNearShare = 4;  // one in so many may be chosen for being near

std::size_t hash_text(const void* data, std::size_t size) {
  return std::hash<std::string_view>{}({static_cast<const char*>(data), size});
}

}  // namespace

std::size_t Registry::HashBytes::operator()(const InfoHash& hash) const {
  return hash_text(hash.data(), hash.size());
}
std::size_t Registry::HashBytes::operator()(const Address& address) const {
  return hash_text(address.bytes.data(), address.bytes.size());
}
std::size_t Registry::HashBytes::operator()(const PeerKey& key) const {
  return (*this)(key.address) * 65599 + key.port;
}

Registry::Registry(const RegistryLimits& limits, std::uint64_t random_seed)
    : limits_(limits), random_(random_seed) {}

Result<AnnounceAnswer> Registry::announce(const Announce& announce, const Address& from,
                                          SteadyMs now) {
  auto found = swarms_.find(announce.info_hash);
  if (found == swarms_.end()) {
    if (swarms_.size() >= limits_.max_torrents)
      return fail(ErrorKind::source_unavailable, "the tracker serves as many torrents as it can");
    found = swarms_.try_emplace(announce.info_hash).first;
  }
  Swarm& swarm = found->second;
  bool known = note(swarm, announce, from, now);
  AnnounceAnswer answer;
  answer.counts = counts_of(swarm);
  answer.min_interval_s = std::min(limits_.first_interval_s, limits_.interval_s);
  answer.interval_s = known ? limits_.interval_s : answer.min_interval_s;
  if (announce.event != Event::stopped) answer.peers = choose(swarm, announce, from);
  if (swarm.peers.empty() && swarm.completed == 0) swarms_.erase(found);
  return answer;
}

bool Registry::note(Swarm& swarm, const Announce& announce, const Address& from, SteadyMs now) {
  auto found = swarm.index.find({from, announce.port});
  bool known = found != swarm.index.end();
  if (announce.event == Event::stopped) {
    if (known) remove(swarm, found->second);
    return known;
  }
  if (!known) {
    if (announce.port == 0 || peers_ >= limits_.max_peers ||
        swarm.peers.size() >= limits_.max_peers_per_torrent)
      return false;
    auto& from_there = swarm.per_address[from];
    if (from_there >= limits_.max_peers_per_address) return false;
    ++from_there;
    ++peers_;
    found = swarm.index.emplace(PeerKey{from, announce.port}, swarm.peers.size()).first;
    swarm.peers.push_back({from, announce.port, announce.peer_id, false, now});
  }
  PeerEntry& peer = swarm.peers[found->second];
  if (announce.event == Event::completed && !peer.is_seed) ++swarm.completed;
  swarm.seeds += announce.is_seed ? 1 : 0;
  swarm.seeds -= peer.is_seed ? 1 : 0;
  peer.id = announce.peer_id;
  peer.is_seed = announce.is_seed;
  peer.last_seen = now;
  return known;
}

void Registry::remove(Swarm& swarm, std::size_t position) {
  PeerEntry& peer = swarm.peers[position];
  swarm.seeds -= peer.is_seed ? 1 : 0;
  swarm.index.erase({peer.address, peer.port});
  auto from_there = swarm.per_address.find(peer.address);
  if (--from_there->second == 0) swarm.per_address.erase(from_there);
  if (position + 1 != swarm.peers.size()) {
    peer = swarm.peers.back();
    swarm.index[{peer.address, peer.port}] = position;
  }
  swarm.peers.pop_back();
  --peers_;
}

std::vector<PeerEntry> Registry::choose(const Swarm& swarm, const Announce& announce,
                                        const Address& from) {
  std::vector<std::uint32_t> near;
  std::vector<std::uint32_t> others;
  for (std::uint32_t position = 0; position < swarm.peers.size(); ++position) {
    const auto& peer = swarm.peers[position];
    bool itself =
        (peer.address == from && peer.port == announce.port) || peer.id == announce.peer_id;
    if (itself || (announce.is_seed && peer.is_seed)) continue;
    (peer.address.is_near(from) ? near : others).push_back(position);
  }
  std::vector<PeerEntry> chosen;
  auto draw = [&](std::vector<std::uint32_t>& positions, std::size_t count) {
    count = std::min(count, positions.size());
    for (std::size_t i = 0; i < count; ++i) {
      std::uniform_int_distribution<std::size_t> any(i, positions.size() - 1);
      std::swap(positions[i], positions[any(random_)]);
      chosen.push_back(swarm.peers[positions[i]]);
    }
    positions.erase(positions.begin(), positions.begin() + static_cast<std::ptrdiff_t>(count));
  };
  draw(near, std::max(1u, announce.wanted / kNearShare) * (announce.wanted != 0));
  others.insert(others.end(), near.begin(), near.end());
  draw(others, announce.wanted - chosen.size());
  return chosen;
}

Counts Registry::counts_of(const Swarm& swarm) {
  return {swarm.seeds, static_cast<std::uint32_t>(swarm.peers.size()) - swarm.seeds,
          swarm.completed};
}

std::optional<Counts> Registry::counts(const InfoHash& hash) const {
  auto found = swarms_.find(hash);
  return found == swarms_.end() ? std::nullopt : std::optional(counts_of(found->second));
}

Counts Registry::totals() const {
  Counts sum;
  for (const auto& [hash, swarm] : swarms_) {
    auto counts = counts_of(swarm);
    sum.seeds += counts.seeds;
    sum.leechers += counts.leechers;
    sum.completed += counts.completed;
  }
  return sum;
}

void Registry::expire(SteadyMs now) {
  auto oldest = now - 2 * std::chrono::seconds(limits_.interval_s);
  for (auto item = swarms_.begin(); item != swarms_.end();) {
    Swarm& swarm = item->second;
    for (std::size_t position = swarm.peers.size(); position-- > 0;)
      if (swarm.peers[position].last_seen < oldest) remove(swarm, position);
    item = swarm.peers.empty() ? swarms_.erase(item) : std::next(item);
  }
}

void Registry::keep_only(const std::function<bool(const InfoHash&)>& is_wanted) {
  std::erase_if(swarms_, [&](const auto& item) {
    if (is_wanted(item.first)) return false;
    peers_ -= item.second.peers.size();
    return true;
  });
}

}  // namespace shoal::tracker
