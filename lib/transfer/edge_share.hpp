// How much of the link the edge should fill beside the peers: pure. Peers' bytes are free and the
// edge's are not, but a link that stands idle is lost time. The trap: on a shared downlink the edge
// squeezes out the peers, so "peers are slow, add edge" feeds itself. Therefore every increase has
// to prove that the total rises, and what is being filled is taken back now and then to see whether
// peers would fill it.
#pragma once

#include <cstdint>

namespace shoal::transfer {

struct EdgeShareTuning {
  bool fills = true;               // false: the rate stays 0
  double fill_below = 0.85;        // of the capacity: less than this in total is a deficit …
  double fill_to = 1.0;            // … that is filled up to this part of it
  std::uint64_t grace_ms = 1'500;  // a deficit must last this long
};

class EdgeShare {
 public:
  explicit EdgeShare(const EdgeShareTuning& tuning) : tuning_(tuning) {}

  void set_tuning(const EdgeShareTuning& tuning) { tuning_ = tuning; }

  // About once a second. `edge_unlimited`: since the last sample the edge always had more to fetch
  // than it could, so that the total is what the link (or the edge) can do.
  // `may_explore`: enough is left for it to pay.
  void sample(std::uint64_t now_ms, double peer_bytes_per_s, double edge_bytes_per_s,
              bool edge_unlimited, bool may_explore);

  // What the edge should deliver now beyond the pieces that it must.
  double rate_bytes_per_s() const { return rate_; }
  // What the link can take, as far as is known. 0: nothing is known yet.
  double capacity_bytes_per_s() const { return capacity_; }

 private:
  enum class Mode { hold, raised, lowered };

  void learn(std::uint64_t now_ms, double total, bool edge_unlimited);
  void judge_raise(std::uint64_t now_ms, double total);
  void judge_lowering(std::uint64_t now_ms, double total);
  void hold(std::uint64_t now_ms, double total, double rise, bool may_explore);
  void raise(std::uint64_t now_ms, double step, double total);
  void lower(std::uint64_t now_ms, double step, double total);

  EdgeShareTuning tuning_;
  Mode mode_ = Mode::hold;
  double rate_ = 0;
  double last_peers_ = 0;
  double capacity_ = 0;
  std::uint64_t capacity_known_until_ms_ = 0;  // until then there is no need to explore
  double unlimited_total_ = 0;                 // the last sample's; 0: the edge was not unlimited
  std::uint64_t last_unlimited_ms_ = 0;
  double step_ = 0;      // of the change under trial
  double baseline_ = 0;  // total before it
  bool exploring_ = false;
  std::uint64_t changed_ms_ = 0;
  std::uint64_t deficit_since_ms_ = 0;  // 0: none
  std::uint64_t next_look_ms_ = 0;      // 0: no sample yet
  std::uint64_t next_raise_ms_ = 0;
  std::uint64_t next_lower_ms_ = 0;
  std::uint64_t raise_pause_ms_ = 0;
  std::uint64_t lower_pause_ms_ = 0;
};

}  // namespace shoal::transfer
