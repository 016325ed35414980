// Two small pure meters: how fast bytes come, and how fast they may.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace shoal::edge {

// Bytes per second over the last two seconds, in slots of a quarter second.
class RateMeter {
 public:
  void add(std::uint64_t bytes, std::uint64_t now_ms) {
    advance(now_ms);
    slots_[slot_ % kSlots] += bytes;
  }
  std::uint64_t bytes_per_s(std::uint64_t now_ms) {
    advance(now_ms);
    std::uint64_t sum = 0;
    for (auto bytes : slots_) sum += bytes;
    return sum * 1000 / (kSlots * kSlotMs);
  }

 private:
  static constexpr std::uint64_t kSlots = 8;
  static constexpr std::uint64_t kSlotMs = 250;

  void advance(std::uint64_t now_ms) {
    std::uint64_t now_slot = now_ms / kSlotMs;
    if (now_slot >= slot_ + kSlots) {
      slots_.fill(0);
      slot_ = now_slot;
    }
    while (slot_ < now_slot) slots_[++slot_ % kSlots] = 0;
  }

  std::array<std::uint64_t, kSlots> slots_{};
  std::uint64_t slot_ = 0;
};

// A limit over all transfers together. It may be overdrawn by one read; the debt is then waited
// for.
class TokenBucket {
 public:
  void set_limit(std::uint64_t bytes_per_s) {  // 0: none
    limit_ = static_cast<std::int64_t>(std::min<std::uint64_t>(bytes_per_s, kMaxLimit));
    tokens_ = std::min(tokens_, burst());
  }
  bool limited() const { return limit_ > 0; }
  bool may_receive(std::uint64_t now_ms) {
    refill(now_ms);
    return limit_ == 0 || tokens_ > 0;
  }
  void take(std::uint64_t bytes) {
    if (limit_ > 0) tokens_ -= static_cast<std::int64_t>(bytes) * 1000;
  }

 private:
  static constexpr std::uint64_t kMaxLimit = 1ULL
                                             << 40;  // no link is faster; products stay in range

  // A tenth of a second's worth: smooth, and yet few wake-ups.
  std::int64_t burst() const { return limit_ * 100; }
  void refill(std::uint64_t now_ms) {
    std::uint64_t elapsed_ms = std::min<std::uint64_t>(now_ms - last_ms_, 1000);
    last_ms_ = now_ms;
    tokens_ = std::min(tokens_ + limit_ * static_cast<std::int64_t>(elapsed_ms), burst());
  }

  std::int64_t limit_ = 0;   // bytes per second
  std::int64_t tokens_ = 0;  // thousandths of a byte, so that no millisecond is lost to rounding
  std::uint64_t last_ms_ = 0;
};

}  // namespace shoal::edge
