// A fluid simulation of machines that download one artifact from an edge and from each other, each
// with a real Scheduler: time steps of 100 ms, links shared fairly between flows (max-min), rarest
// first, a few upload slots each. It leaves out latency, packet loss and protocol overhead.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "transfer/scheduler.hpp"

namespace shoal::test {

inline constexpr std::uint64_t kMbit = 1'000'000 / 8;  // bytes per second

struct SimClient {
  double up = 40 * kMbit;  // bytes per second; 0: behind a NAT that nobody gets through
  double down = 40 * kMbit;
  double join_s = 0;
  double leave_s = 1e9;  // dies
  double up_later = 0;   // its uplink's rate …
  double tires_s = 1e9;  // … from then on
  bool seed = false;     // has everything at once
  bool consent = true;   // false: takes no part in the swarm
};

struct SimOptions {
  std::uint32_t pieces = 256;
  std::uint64_t piece_size = 256 * 1024;
  transfer::Policy policy = transfer::Policy::fastest;
  double deadline_s = 0;
  double edge_up = 0;         // bytes per second for all together; 0: unlimited
  double edge_dies_s = 1e9;   // requests fail from then …
  double edge_returns_s = 0;  // … until then
  double stop_s = 600;
  std::uint64_t seed = 1;
};

struct SimResult {
  struct Client {
    double finished_s = -1;  // since it joined; -1: not
    std::uint64_t edge_bytes = 0;
    std::uint64_t peer_bytes = 0;
    double longest_stall_s = 0;  // without a byte, between joining and finishing
    bool waited_for_source = false;
  };
  std::vector<Client> clients;  // as given; seeds included
  double copies = 0;            // edge bytes over the artifact's size
  double slowest_s = 0;         // of those that stayed
  double slowest_ratio = 0;     // to size/download of its own link
  double longest_stall_s = 0;   // of those that stayed
  bool all_finished = true;     // of those that stayed
};

SimResult simulate(const SimOptions& options, const std::vector<SimClient>& clients);

}  // namespace shoal::test
