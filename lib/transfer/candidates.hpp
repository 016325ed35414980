// Which pieces come next, for each reason to ask the edge: pure. Pieces go to machines in runs of
// neighbours, by rendezvous hashing. Pieces are walked through cursors over orders that are rebuilt
// only when peers change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "transfer/piece_ledger.hpp"

namespace shoal::transfer {

class Candidates {
 public:
  // `pieces` outlives this.
  Candidates(const PieceLedger& pieces, std::uint64_t piece_size);

  // The machines that fetch from the edge: this one, and the others, sorted.
  void set_members(std::uint64_t self, std::vector<std::uint64_t> others);
  // Nobody to share with: all pieces are ours, in sequence, which the edge likes best, each machine
  // from its own place.
  void set_alone(bool alone);
  // From now on ours come in sequence, and this one first (after the last comes the first).
  void begin_at(std::uint32_t piece);
  bool in_sequence() const { return first_run_.has_value(); }
  bool others() const { return !others_.empty(); }
  bool owned(std::uint32_t piece) const;  // by this machine

  void rewind() { own_cursor_ = next_cursor_ = 0; }  // a piece is open that was not
  void availability_changed() { rarest_stale_ = true; }

  // At most `room` of each, in the order to ask for them; none that is asked for already.
  // Ours, that nobody has had for wait_ms.
  std::vector<std::uint32_t> musts(std::uint64_t now_ms, std::uint64_t wait_ms, std::size_t room);
  // Other machines', that nobody has had for wait_ms: next in line first, then by claim.
  std::vector<std::uint32_t> takeovers(std::uint64_t now_ms, std::uint64_t wait_ms,
                                       std::size_t room);
  // Those that peers have: the rarest first.
  std::vector<std::uint32_t> rarest(std::uint64_t now_ms, std::size_t room);

 private:
  // The piece at a place in an order of runs; size() or more: there is none.
  std::uint32_t piece_at(const std::vector<std::uint32_t>& runs, std::size_t place) const {
    return runs[place / pieces_per_run_] * pieces_per_run_ +
           static_cast<std::uint32_t>(place % pieces_per_run_);
  }
  void rebuild_orders();
  void rebuild_rarest(std::uint64_t now_ms);

  const PieceLedger& pieces_;
  std::uint32_t pieces_per_run_ = 1;
  std::uint64_t self_ = 0;
  std::vector<std::uint64_t> others_;
  bool alone_ = false;
  std::optional<std::uint32_t> first_run_;  // where a sequence begins; none: in the usual order
  bool orders_stale_ = true;
  std::vector<std::uint32_t> own_runs_;   // by claim, highest first
  std::vector<std::uint32_t> next_runs_;  // the others
  std::size_t own_cursor_ = 0;            // into own_runs_ × pieces_per_run_
  std::size_t next_cursor_ = 0;
  std::vector<std::uint32_t> rarest_;  // a batch of them
  std::size_t rarest_cursor_ = 0;
  bool rarest_stale_ = true;
};

}  // namespace shoal::transfer
