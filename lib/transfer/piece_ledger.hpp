// What the scheduler knows of every piece, with the counts it needs at each decision.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "transfer/pieces.hpp"

namespace shoal::transfer {

// Why the edge was asked for a piece.
enum class Asked : std::uint8_t { no, must, share };

// Pieces are plain indices here; out of range is a bug.
class PieceLedger {
 public:
  explicit PieceLedger(const PieceSet& wanted)
      : missing_(wanted.size()),
        asked_(wanted.size(), Asked::no),
        availability_(wanted.size()),
        unavailable_since_ds_(wanted.size()) {
    for (std::uint32_t piece = 0; piece < wanted.size(); ++piece)
      if (wanted.has(PieceIndex(piece))) set_missing(piece, true);
  }

  std::uint32_t size() const { return static_cast<std::uint32_t>(missing_.size()); }
  bool missing(std::uint32_t piece) const { return missing_[piece]; }
  Asked asked(std::uint32_t piece) const { return asked_[piece]; }
  std::uint16_t availability(std::uint32_t piece) const { return availability_[piece]; }
  std::uint32_t missing_count() const { return missing_count_; }
  std::uint32_t asked_count() const { return asked_count_; }
  std::uint32_t offered_count() const { return offered_count_; }  // missing, and some peer has it

  void set_missing(std::uint32_t piece, bool is_missing) {
    if (missing_[piece] == is_missing) return;
    missing_[piece] = is_missing;
    std::uint32_t change = is_missing ? 1U : ~0U;  // ±1 in modular arithmetic
    missing_count_ += change;
    if (availability_[piece] > 0) offered_count_ += change;
  }
  void set_asked(std::uint32_t piece, Asked why) {
    asked_count_ -= asked_[piece] != Asked::no ? 1 : 0;
    asked_count_ += why != Asked::no ? 1 : 0;
    asked_[piece] = why;
  }
  void set_retry_at(std::uint32_t piece, std::uint64_t at_ms) {
    if (retry_at_ms_.empty()) retry_at_ms_.resize(missing_.size());
    retry_at_ms_[piece] = at_ms;
  }
  // True when some piece that peers had is with none of them now. Shorter lists mean 0.
  bool set_availability(const std::vector<std::uint16_t>& counts, std::uint64_t now_ms) {
    bool lost_some = false;
    for (std::uint32_t piece = 0; piece < size(); ++piece) {
      std::uint16_t count = piece < counts.size() ? counts[piece] : 0;
      bool had = availability_[piece] > 0;
      bool has = count > 0;
      availability_[piece] = count;
      if (had == has) continue;
      if (missing_[piece]) offered_count_ += has ? 1U : ~0U;
      if (!has) unavailable_since_ds_[piece] = static_cast<std::uint32_t>(now_ms / 100);
      lost_some = lost_some || !has;
    }
    return lost_some;
  }
  // Pieces that nobody has count as unavailable since then.
  void begin(std::uint64_t now_ms) {
    std::fill(unavailable_since_ds_.begin(), unavailable_since_ds_.end(),
              static_cast<std::uint32_t>(now_ms / 100));
  }

  bool may_ask(std::uint32_t piece, std::uint64_t now_ms) const {
    return missing_[piece] && asked_[piece] == Asked::no &&
           (retry_at_ms_.empty() || retry_at_ms_[piece] <= now_ms);
  }
  bool unavailable_for(std::uint32_t piece, std::uint64_t wait_ms, std::uint64_t now_ms) const {
    return availability_[piece] == 0 &&
           now_ms >= std::uint64_t{unavailable_since_ds_[piece]} * 100 + wait_ms;
  }

 private:
  std::vector<bool> missing_;
  std::vector<Asked> asked_;
  std::vector<std::uint16_t> availability_;
  std::vector<std::uint32_t> unavailable_since_ds_;  // tenths of a second; while nobody has it
  std::vector<std::uint64_t> retry_at_ms_;           // empty until something fails
  std::uint32_t missing_count_ = 0;
  std::uint32_t asked_count_ = 0;
  std::uint32_t offered_count_ = 0;
};

}  // namespace shoal::transfer
