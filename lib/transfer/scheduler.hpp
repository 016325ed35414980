// The peer-or-edge scheduler of one artifact: pure. Events in, one decision out; time is handed in.
// It owns no piece bytes and no sockets, and is deterministic for a given seed.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "transfer/pieces.hpp"
#include "transfer/policy.hpp"
#include "transfer/swarm.hpp"

namespace shoal::transfer {

struct SchedulerOptions {
  Policy policy = Policy::fastest;
  bool swarm_enabled = true;                        // false: no consent; everything from the edge
  std::uint64_t piece_size = 0;                     // bytes
  std::uint64_t max_in_flight_bytes = 32ULL << 20;  // pieces asked of the edge at a time
  std::uint64_t deadline_ms = 0;                    // thrifty: since the start; 0: none
  std::uint64_t node = 0;  // this machine's id among the peers, for spreading the work
};

struct Decision {
  std::vector<PieceIndex> fetch;      // ask the edge for these now, in this order
  std::vector<PieceIndex> give_back;  // stop asking the edge for these: the swarm will do
  bool waiting_for_source = false;    // pieces are missing, and neither peers nor edge have them
};

class Scheduler {
 public:
  // `wanted`: the pieces this machine will need (the rest are had or not selected).
  Scheduler(const SchedulerOptions& options, PieceSet wanted);
  ~Scheduler();
  Scheduler(Scheduler&&) noexcept;

  void piece_done(PieceIndex piece);  // stored and checked, whoever it came from
  void piece_lost(PieceIndex piece);  // it is missing after all
  void swarm_view(const SwarmView& view, std::uint64_t now_ms);
  void edge_received(std::uint64_t bytes);  // what the edge has got for this artifact so far
  // The edge gave up on the piece; not asked again before retry_at_ms.
  void edge_failed(PieceIndex piece, std::uint64_t retry_at_ms);
  // The artifact is read in order while it is fetched, and this is the piece that is needed now:
  // from the edge, what is ours comes in order from there on. Before it is known whether there are
  // other machines, the order stays each machine's own.
  void needed_next(PieceIndex piece);
  void set_swarm_enabled(bool enabled);
  void set_policy(Policy policy, std::uint64_t deadline_ms);

  // Called after events and at least every 100 ms.
  Decision decide(std::uint64_t now_ms);

  std::uint32_t missing() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::transfer
