// What the edge has been asked for, how it answers, and how much more it may be asked for: pure.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "transfer/piece_ledger.hpp"

namespace shoal::transfer {

class EdgeQueue {
 public:
  // `pieces` outlives this.
  EdgeQueue(PieceLedger& pieces, std::uint64_t piece_size) : pieces_(pieces), size_(piece_size) {}

  void ask(std::uint32_t piece, Asked why);
  void piece_done(std::uint32_t piece);  // stored, whoever it came from
  void failed(std::uint32_t piece, std::uint64_t retry_at_ms);
  void set_received(std::uint64_t bytes) { received_ = bytes; }  // on the network, so far

  // It is taken back from the edge: the next give_back() names it.
  void take_back(std::uint32_t piece);
  // The same for all asked pieces that the predicate chooses, the newer half of them only.
  void take_back_newer_half(const std::function<bool(std::uint32_t)>& chosen);
  void take_back_what_peers_have();
  std::vector<std::uint32_t> give_back() { return std::exchange(give_back_, {}); }

  // It does not answer; at the end of the pause one careful look is allowed.
  bool down() const { return down_until_ms_ > 0; }
  bool may_ask(std::uint64_t now_ms) const { return !down() || now_ms >= down_until_ms_; }

  // How many pieces may be asked for at a time so that it is kept busy and plans can still change.
  // Grows the window as needed: once for each decision.
  std::uint32_t limit(std::uint64_t max_bytes, bool windowed);
  // The same for pieces that are paced: no backlog, a change of their rate must show at once.
  std::uint32_t paced_limit() const;

  // What is asked for first is needed first: the window begins narrower.
  void begin_narrow();

  // Bytes per second that the edge received since the last call: about once a second.
  double sample_rate(std::uint64_t elapsed_ms);
  std::uint64_t bytes() const { return bytes_; }  // completed since the start

 private:
  PieceLedger& pieces_;
  std::uint64_t size_;
  std::deque<std::uint32_t> order_;  // oldest first; may name pieces that are answered
  std::vector<std::uint32_t> give_back_;
  double rate_ = 0;  // of the last sample
  std::uint64_t bytes_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t received_at_sample_ = 0;
  std::uint64_t bytes_since_limit_ = 0;
  std::uint64_t window_bytes_ = 2ULL << 20;  // begins small and doubles as needed
  std::uint32_t failures_ = 0;               // since its last success
  std::uint64_t down_until_ms_ = 0;
};

}  // namespace shoal::transfer
