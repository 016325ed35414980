// A table of hashes of the old bytes' aligned blocks; the new bytes slide a window over it. What is
// found is widened to the whole run of equal bytes and passed over. Only long runs count: those are
// hardly ever there by chance, so that they need not compete with each other, and what lies between
// them is small enough to be matched with care.
#include <algorithm>
#include <bit>

#include "delta/equal_bytes.hpp"
#include "delta/match.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint64_t kBlock = 64;
constexpr std::uint64_t kMinRun = 512;           // shorter ones elsewhere might be there by chance
constexpr std::uint64_t kMinRunOnDiagonal = 64;  // where the last run led to
constexpr unsigned kMaxCandidates = 16;          // old places looked at for one hash
constexpr std::uint32_t kNone = UINT32_MAX;
constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15ULL;
constexpr std::uint64_t kStopCheck = 1 << 20;

// Rabin's rolling hash modulo 2^64 over kBlock bytes.
class RollingHash {
 public:
  explicit RollingHash(const std::uint8_t* bytes) {
    for (std::uint64_t i = 0; i < kBlock; ++i) hash_ = hash_ * kFactor + bytes[i] + 1;
    for (std::uint64_t i = 1; i < kBlock; ++i) last_factor_ *= kFactor;
  }
  void roll(std::uint8_t out, std::uint8_t in) {
    hash_ = (hash_ - (out + 1ULL) * last_factor_) * kFactor + in + 1;
  }
  std::uint64_t value() const { return hash_ ^ (hash_ >> 29); }

 private:
  std::uint64_t hash_ = 0;
  std::uint64_t last_factor_ = 1;
};

bool is_uniform(const std::uint8_t* bytes) {
  return std::all_of(bytes + 1, bytes + kBlock, [&](auto byte) { return byte == *bytes; });
}

// Block numbers by hash, chained; the earlier block first. Blocks of one repeated byte are left
// out: padding is everywhere and tells nothing.
class BlockTable {
 public:
  explicit BlockTable(ByteView old) : next_(old.size() / kBlock, kNone) {
    const int bits = std::bit_width(next_.size() + 1);
    shift_ = 64 - bits;
    first_.assign(std::size_t{1} << bits, kNone);
    for (std::size_t block = next_.size(); block-- > 0;) {
      const auto* bytes = old.data() + block * kBlock;
      if (is_uniform(bytes)) continue;
      auto& head = first_[slot(RollingHash(bytes).value())];
      next_[block] = head;
      head = static_cast<std::uint32_t>(block);
    }
  }
  std::uint32_t first(std::uint64_t hash) const { return first_[slot(hash)]; }
  std::uint32_t next(std::uint32_t block) const { return next_[block]; }

 private:
  std::size_t slot(std::uint64_t hash) const { return (hash * kFactor) >> shift_; }

  std::vector<std::uint32_t> next_;
  std::vector<std::uint32_t> first_;
  int shift_;
};

class RunMatcher {
 public:
  RunMatcher(ByteView old, ByteView fresh) : old_(old), fresh_(fresh), table_(old) {}

  Result<std::vector<Cover>> run(const StopToken& stop) {
    std::uint64_t at = 0;
    std::uint64_t next_check = 0;
    while (at + kBlock <= fresh_.size()) {
      RollingHash hash(fresh_.data() + at);
      Cover found;
      while (true) {
        if (at >= next_check) {
          SHOAL_TRY(stop.check());
          next_check = at + kStopCheck;
        }
        found = on_diagonal(at);
        if (found.size == 0) found = look_up(hash.value(), at);
        if (found.size > 0 || at + kBlock >= fresh_.size()) break;
        hash.roll(fresh_[at], fresh_[at + kBlock]);
        ++at;
      }
      if (found.size == 0) break;
      runs_.push_back(found);
      at = found.new_end();
    }
    return std::move(runs_);
  }

 private:
  std::uint64_t equal_run(std::uint64_t old_at, std::uint64_t new_at) const {
    const std::uint64_t limit = std::min(old_.size() - old_at, fresh_.size() - new_at);
    return equal_prefix(old_.data() + old_at, fresh_.data() + new_at, limit);
  }

  // The run that goes on where the last one led, after a difference.
  Cover on_diagonal(std::uint64_t at) const {
    if (runs_.empty()) return {};
    const auto& last = runs_.back();
    const std::uint64_t old_at = last.old_begin + (at - last.new_begin);
    if (old_at >= old_.size() || old_[old_at] != fresh_[at]) return {};
    const std::uint64_t size = equal_run(old_at, at);
    return size < kMinRunOnDiagonal ? Cover{} : Cover{old_at, at, size};
  }

  // The longest run through this place that begins behind the last one.
  Cover look_up(std::uint64_t hash, std::uint64_t at) const {
    const std::uint64_t free_from = runs_.empty() ? 0 : runs_.back().new_end();
    Cover best;
    unsigned candidates = 0;
    for (std::uint32_t block = table_.first(hash); block != kNone && candidates < kMaxCandidates;
         block = table_.next(block), ++candidates) {
      const std::uint64_t old_at = block * kBlock;
      const std::uint64_t forward = equal_run(old_at, at);
      if (forward < kBlock) continue;
      std::uint64_t back = 0;
      const std::uint64_t room = std::min(old_at, at - free_from);
      while (back < room && old_[old_at - back - 1] == fresh_[at - back - 1]) ++back;
      if (back + forward > best.size) best = {old_at - back, at - back, back + forward};
    }
    return best.size >= kMinRun ? best : Cover{};
  }

  ByteView old_;
  ByteView fresh_;
  BlockTable table_;
  std::vector<Cover> runs_;
};

}  // namespace

Result<std::vector<Cover>> match_runs(ByteView old, ByteView fresh, const StopToken& stop) {
  if (old.size() < kBlock || fresh.size() < kBlock) return std::vector<Cover>{};
  return RunMatcher(old, fresh).run(stop);
}

}  // namespace shoal::delta
