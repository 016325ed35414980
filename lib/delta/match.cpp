// Long runs first; then the old bytes that they leave, one stretch after another, are sorted by
// suffix, and each gap between runs looks for its longest matches there, as bsdiff does (Percival
// 2003): a match is taken where it beats going on along the diagonal before it. Runs and matches
// grow over what is between them at the end.
#include "delta/match.hpp"

#include <algorithm>

#include "base/for_each.hpp"
#include "delta/equal_bytes.hpp"
#include "delta/extend.hpp"
#include "delta/suffix_search.hpp"

namespace shoal::delta {
namespace {

// Equal bytes that a match must have more than the diagonal before it: what another cover costs. In
// programs and objects that is less, as small pieces there keep references and tables in step; in
// text, literals are cheap.
constexpr std::uint64_t kBeatByInPrograms = 8;
constexpr std::uint64_t kBeatBy = 20;
constexpr std::uint64_t kMargin = 64;       // old bytes beside an unused stretch are taken along
constexpr std::uint64_t kMinUnused = 8;     // shorter unused stretches are ignored
constexpr std::uint64_t kCompared = 1024;   // a match is sought by so many bytes, then widened
constexpr std::uint64_t kLong = 64;         // inside a match of this length, no other one is sought
constexpr std::uint64_t kWorthAdding = 32;  // on the diagonal: less is found by growing
constexpr std::uint64_t kStopCheck = 1 << 20;

// The old bytes to search, gathered.
struct Gathered {
  Bytes bytes;
  std::vector<Cover> stretches;  // old_begin in the old bytes, new_begin in `bytes`

  // Old position of bytes[at]; how many bytes follow in the same stretch.
  std::pair<std::uint64_t, std::uint64_t> locate(std::uint64_t at) const {
    auto stretch = std::ranges::upper_bound(stretches, at, {}, &Cover::new_begin);
    --stretch;
    return {stretch->old_begin + (at - stretch->new_begin), stretch->new_end() - at};
  }
  // Where an old position is in `bytes`, or what is nearest behind it.
  std::uint64_t find(std::uint64_t old_at) const {
    auto stretch = std::ranges::upper_bound(stretches, old_at, {}, &Cover::old_begin);
    if (stretch == stretches.begin()) return 0;
    --stretch;
    return stretch->new_begin + std::min(old_at - stretch->old_begin, stretch->size);
  }
};

Gathered gather_unused(ByteView old, std::vector<Cover> used, std::uint64_t limit) {
  std::ranges::sort(used, {}, &Cover::old_begin);
  used.push_back({old.size(), 0, 0});
  Gathered gathered;
  std::uint64_t begin = 0;
  std::uint64_t taken_to = 0;
  for (const auto& cover : used) {
    if (cover.old_begin > begin && cover.old_begin - begin >= kMinUnused) {
      const std::uint64_t from = std::max(taken_to, begin < kMargin ? 0 : begin - kMargin);
      const std::uint64_t to = std::min<std::uint64_t>(old.size(), cover.old_begin + kMargin);
      if (gathered.bytes.size() + (to - from) > limit) break;
      gathered.stretches.push_back({from, gathered.bytes.size(), to - from});
      gathered.bytes.insert(gathered.bytes.end(), old.begin() + static_cast<std::ptrdiff_t>(from),
                            old.begin() + static_cast<std::ptrdiff_t>(to));
      taken_to = to;
    }
    begin = std::max(begin, cover.old_end());
  }
  return gathered;
}

// Makes the covers of one new file: runs are added in order, and what lies before each is searched.
class FileMatcher {
 public:
  FileMatcher(ByteView old, ByteView fresh, const Gathered& gathered, const SuffixSearch& search,
              const FileSpan& file)
      : old_(old),
        fresh_(fresh),
        gathered_(gathered),
        search_(search),
        beat_by_(file.program ? kBeatByInPrograms : kBeatBy),
        end_(file.begin + file.size),
        at_(file.begin),
        builder_(old, fresh, file.begin, end_) {}

  Result<void> add(const Cover& run, const StopToken& stop) {
    SHOAL_TRY(fill(run.new_begin, stop));
    builder_.add(run);
    diagonal_ = run.old_begin - run.new_begin;
    at_ = run.new_end();
    return {};
  }
  Result<std::vector<Cover>> finish(const StopToken& stop) {
    SHOAL_TRY(fill(end_, stop));
    return builder_.finish();
  }

 private:
  Result<void> fill(std::uint64_t end, const StopToken& stop) {
    while (true) {
      SHOAL_ASSIGN(Cover match, next_good_match(end, stop));
      if (match.size == 0) return {};
      builder_.add(match);
      diagonal_ = match.old_begin - match.new_begin;
    }
  }

  // The next match before `end` that beats the diagonal, or a long one on it; size 0: none is left.
  // Moves at_ behind it.
  Result<Cover> next_good_match(std::uint64_t end, const StopToken& stop) {
    Cover match;
    std::uint64_t counted = at_;  // up to here, bytes on the diagonal are in `equal`
    std::uint64_t equal = 0;      // of the match's bytes, on the diagonal
    for (; at_ < end; ++at_) {
      if (at_ >= next_check_) {
        SHOAL_TRY(stop.check());
        next_check_ = at_ + kStopCheck;
      }
      match = match_at(end, match);
      for (; counted < match.new_end(); ++counted) equal += on_diagonal(counted);
      if (match.size > equal + beat_by_) break;
      if (match.size > 0 && match.size == equal) {
        if (match.size >= kWorthAdding) {
          match.old_begin = match.new_begin + diagonal_;
          break;
        }
        at_ = match.new_end() - 1;
        equal = 0;
        match.size = 0;
        continue;
      }
      if (counted > at_) equal -= on_diagonal(at_);
      counted = std::max(counted, at_ + 1);
    }
    if (at_ >= end) return Cover{};
    at_ = match.new_end();
    return match;
  }

  // 1 or 0.
  std::uint64_t on_diagonal(std::uint64_t at) const {
    const std::uint64_t old_at = at + diagonal_;  // modulo 2^64: far out when negative
    return old_at < old_.size() && old_[old_at] == fresh_[at] ? 1 : 0;
  }

  // The longest match at this place, or the rest of the last one while that is long.
  Cover match_at(std::uint64_t end, const Cover& last) const {
    if (last.size > 0 && last.new_end() >= at_ + kLong) {
      const std::uint64_t skip = at_ - last.new_begin;
      return {last.old_begin + skip, at_, last.size - skip};
    }
    const auto found = search_.longest(fresh_.subspan(at_, std::min(end - at_, kCompared)),
                                       gathered_.find(at_ + diagonal_));
    if (found.size == 0) return {0, at_, 0};
    const auto [old_at, rest] = gathered_.locate(found.at);
    std::uint64_t size = std::min(found.size, rest);
    if (found.size < kCompared) return {old_at, at_, size};
    const std::uint64_t limit = std::min(end - at_, old_.size() - old_at);
    size += equal_prefix(old_.data() + old_at + size, fresh_.data() + at_ + size, limit - size);
    return {old_at, at_, size};
  }

  ByteView old_;
  ByteView fresh_;
  const Gathered& gathered_;
  const SuffixSearch& search_;
  const std::uint64_t beat_by_;
  const std::uint64_t end_;
  std::uint64_t at_;  // all before it is matched, or will be by growing
  std::uint64_t next_check_ = 0;
  std::uint64_t diagonal_ = 0;  // old less new position of the last match
  CoverBuilder builder_;
};

// The part of a run in [begin, end).
Cover clipped(const Cover& run, std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t from = std::max(run.new_begin, begin);
  return {run.old_begin + (from - run.new_begin), from, std::min(run.new_end(), end) - from};
}

}  // namespace

Result<std::vector<Cover>> match(ByteView old, ByteView fresh,
                                 const std::vector<FileSpan>& fresh_files,
                                 const MatchOptions& options, WorkerPool* workers,
                                 const StopToken& stop) {
  SHOAL_ASSIGN(const auto runs, match_runs(old, fresh, stop));
  const std::uint64_t limit = std::min<std::uint64_t>(options.suffix_bytes, INT32_MAX / 2);
  const Gathered gathered = gather_unused(old, runs, limit);
  const SuffixSearch search(gathered.bytes);
  std::vector<std::vector<Cover>> found(fresh_files.size());
  const auto match_file = [&](std::size_t i) -> Result<void> {
    const auto& file = fresh_files[i];
    const std::uint64_t end = file.begin + file.size;
    FileMatcher matcher(old, fresh, gathered, search, file);
    auto run = std::ranges::upper_bound(runs, file.begin, {}, &Cover::new_end);
    for (; run != runs.end() && run->new_begin < end; ++run) {
      SHOAL_TRY(matcher.add(clipped(*run, file.begin, end), stop));
    }
    SHOAL_ASSIGN(found[i], matcher.finish(stop));
    return {};
  };
  SHOAL_TRY(for_each(workers, fresh_files.size(), match_file));
  std::vector<Cover> covers;
  for (const auto& some : found) covers.insert(covers.end(), some.begin(), some.end());
  return covers;
}

}  // namespace shoal::delta
