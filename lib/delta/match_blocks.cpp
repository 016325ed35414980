// A table of hashes of the old bytes' aligned blocks; the new bytes slide a window over it. While
// the current diagonal goes on, nothing is looked up: moved and unchanged data costs one comparison
// a byte. Of several old places with the same block the one nearest to the current diagonal is
// taken, so that runs of equal records stay in step.
#include <algorithm>
#include <bit>

#include "delta/extend.hpp"
#include "delta/match.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint64_t kBlock = 32;
constexpr std::uint64_t kMinMatch = 40;    // an exact match shorter than this is left to suffixes
constexpr unsigned kMaxCandidates = 16;    // old places looked at for one hash
constexpr std::uint64_t kLookAhead = 32;   // differing bytes after which a diagonal is given up
constexpr std::uint64_t kCompared = 4096;  // bytes of a match that is compared with the diagonal
constexpr std::uint64_t kBeatBy = 24;      // equal bytes a new diagonal must have more than the old
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

// Block numbers by hash, chained; the earlier block first.
class BlockTable {
 public:
  explicit BlockTable(ByteView old) : next_(old.size() / kBlock, kNone) {
    const unsigned bits = std::bit_width(next_.size() + 1);
    shift_ = 64 - bits;
    first_.assign(std::size_t{1} << bits, kNone);
    for (std::size_t block = next_.size(); block-- > 0;) {
      auto& head = first_[slot(RollingHash(old.data() + block * kBlock).value())];
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
  unsigned shift_;
};

class BlockMatcher {
 public:
  BlockMatcher(ByteView old, ByteView fresh)
      : old_(old), fresh_(fresh), table_(old), builder_(old, fresh, 0, fresh.size()) {}

  Result<std::vector<Cover>> run(const StopToken& stop) {
    std::uint64_t position = 0;
    std::uint64_t next_check = 0;
    while (position + kBlock <= fresh_.size()) {
      RollingHash hash(fresh_.data() + position);
      Cover found;
      while (true) {
        if (position >= next_check) {
          SHOAL_TRY(stop.check());
          next_check = position + kStopCheck;
        }
        found = look_up(hash.value(), position);
        if (found.size > 0 || position + kBlock >= fresh_.size()) break;
        hash.roll(fresh_[position], fresh_[position + kBlock]);
        ++position;
      }
      if (found.size == 0) break;
      if (stays_on_diagonal(found)) found = {position + diagonal_, position, 0};
      if (found.size > 0) builder_.add(found);
      diagonal_ = found.old_begin - found.new_begin;
      position = std::max(position + 1, follow(found));
    }
    return builder_.finish();
  }

 private:
  // Whether going on as before explains nearly as many of the match's bytes.
  bool stays_on_diagonal(const Cover& match) const {
    if (match.old_begin == match.new_begin + diagonal_) return false;
    const std::uint64_t size = std::min(match.size, kCompared);
    std::uint64_t equal = 0;
    for (std::uint64_t i = match.new_begin; i < match.new_begin + size; ++i) {
      const std::uint64_t old_at = i + diagonal_;  // modulo 2^64: far out when negative
      if (old_at < old_.size() && old_[old_at] == fresh_[i]) ++equal;
    }
    return equal + kBeatBy > size;
  }

  // Goes on along the match's diagonal over small differences; returns where it gives up.
  std::uint64_t follow(Cover match) {
    while (true) {
      const std::uint64_t limit =
          std::min(fresh_.size() - match.new_end(), old_.size() - match.old_end());
      // The next run of equal bytes on this diagonal, not far from here.
      std::uint64_t skip = 0;
      std::uint64_t run = 0;
      for (; skip < std::min(limit, kLookAhead); ++skip) {
        run = equal_run(match.old_end() + skip, match.new_end() + skip);
        if (run >= kLookAhead / 2) break;
      }
      if (run < kLookAhead / 2) return match.new_end();
      match = {match.old_end() + skip, match.new_end() + skip, run};
      builder_.add(match);
    }
  }

  std::uint64_t equal_run(std::uint64_t old_at, std::uint64_t new_at) const {
    const std::uint64_t limit = std::min(old_.size() - old_at, fresh_.size() - new_at);
    const auto* a = old_.data() + old_at;
    const auto* b = fresh_.data() + new_at;
    return static_cast<std::uint64_t>(std::mismatch(a, a + limit, b).first - a);
  }

  Cover look_up(std::uint64_t hash, std::uint64_t position) const {
    Cover best;
    std::uint64_t best_distance = UINT64_MAX;
    unsigned candidates = 0;
    for (std::uint32_t block = table_.first(hash); block != kNone && candidates < kMaxCandidates;
         block = table_.next(block), ++candidates) {
      const std::uint64_t old_at = block * kBlock;
      const std::uint64_t run = equal_run(old_at, position);
      if (run < kBlock) continue;
      const auto apart = static_cast<std::int64_t>(old_at - position - diagonal_);
      const auto distance = static_cast<std::uint64_t>(apart < 0 ? -apart : apart);
      const bool better = run > 2 * best.size || (2 * run > best.size && distance < best_distance);
      if (!better) continue;
      best = {old_at, position, run};
      best_distance = distance;
    }
    return best.size >= kMinMatch || best_distance == 0 ? best : Cover{};
  }

  ByteView old_;
  ByteView fresh_;
  BlockTable table_;
  CoverBuilder builder_;
  std::uint64_t diagonal_ = 0;  // old minus new position of the last match, modulo 2^64
};

}  // namespace

Result<std::vector<Cover>> match_blocks(ByteView old, ByteView fresh, const StopToken& stop) {
  if (old.size() < kBlock || fresh.size() < kBlock) return std::vector<Cover>{};
  return BlockMatcher(old, fresh).run(stop);
}

}  // namespace shoal::delta
