// The old bytes that no cover uses, one stretch after another, are sorted by suffix; each gap in
// the new bytes then looks for its longest matches there, as bsdiff does (Percival 2003): a match
// is taken where it beats going on along the diagonal before it.
#include <divsufsort.h>

#include <algorithm>

#include "delta/extend.hpp"
#include "delta/match.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint64_t kMinGap = 12;     // a smaller gap is cheaper as literals
constexpr std::uint64_t kMinMatch = 12;   // what a cover costs in the delta, roughly
constexpr std::uint64_t kBeatBy = 8;      // equal bytes a new diagonal must have more than the old
constexpr std::uint64_t kMargin = 64;     // old bytes beside an unused stretch are taken along
constexpr std::uint64_t kMinUnused = 16;  // shorter unused stretches are ignored

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
};

Gathered gather_unused(ByteView old, const std::vector<Cover>& covers, std::uint64_t limit) {
  std::vector<Cover> used = covers;
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

class SuffixSearch {
 public:
  explicit SuffixSearch(ByteView bytes) : bytes_(bytes), order_(bytes.size()) {
    divsufsort(bytes_.data(), order_.data(), static_cast<saidx_t>(bytes_.size()));
  }

  struct Found {
    std::uint64_t at = 0, size = 0;
  };

  Found longest(ByteView text) const {
    std::size_t low = 0, high = order_.size() - 1;
    Found best;
    std::uint64_t low_size = extend(order_[low], text, 0, best);
    std::uint64_t high_size = extend(order_[high], text, 0, best);
    while (high - low > 1) {
      const std::size_t middle = low + (high - low) / 2;
      const auto at = static_cast<std::uint64_t>(order_[middle]);
      const std::uint64_t size = extend(order_[middle], text, std::min(low_size, high_size), best);
      if (size == text.size()) break;
      if (at + size >= bytes_.size() || bytes_[at + size] < text[size]) {
        low = middle;
        low_size = size;
      } else {
        high = middle;
        high_size = size;
      }
    }
    return best;
  }

 private:
  std::uint64_t extend(saidx_t start, ByteView text, std::uint64_t known, Found& best) const {
    const auto at = static_cast<std::uint64_t>(start);
    const std::uint64_t limit = std::min<std::uint64_t>(bytes_.size() - at, text.size());
    std::uint64_t size = std::min(known, limit);
    while (size < limit && bytes_[at + size] == text[size]) ++size;
    if (size > best.size) best = {at, size};
    return size;
  }

  ByteView bytes_;
  std::vector<saidx_t> order_;
};

class GapMatcher {
 public:
  GapMatcher(ByteView old, ByteView fresh, const Gathered& gathered)
      : old_(old), fresh_(fresh), gathered_(gathered), search_(gathered.bytes) {}

  // `before`: the cover that ends where the gap begins, if its size is not 0.
  std::vector<Cover> fill(std::uint64_t begin, std::uint64_t end, const Cover& before) const {
    CoverBuilder builder(old_, fresh_, begin, end);
    std::uint64_t diagonal = before.size > 0 ? before.old_end() - before.new_end() : 0;
    for (std::uint64_t at = begin; at + kMinMatch <= end;) {
      const auto found = search_.longest(fresh_.subspan(at, std::min(end - at, kLongest)));
      const auto [old_at, rest] = gathered_.locate(found.at);
      const std::uint64_t size = std::min(found.size, rest);
      if (size < kMinMatch || size < equal_on(diagonal, at, size) + kBeatBy) {
        ++at;
        continue;
      }
      builder.add({old_at, at, size});
      diagonal = old_at - at;
      at += size;
    }
    return builder.finish();
  }

 private:
  static constexpr std::uint64_t kLongest = 1 << 16;

  // How many of the new bytes from `at` are equal to the old ones on the diagonal.
  std::uint64_t equal_on(std::uint64_t diagonal, std::uint64_t at, std::uint64_t size) const {
    std::uint64_t equal = 0;
    for (std::uint64_t i = at; i < at + size; ++i) {
      const std::uint64_t old_at = i + diagonal;  // modulo 2^64: far out when negative
      if (old_at < old_.size() && old_[old_at] == fresh_[i]) ++equal;
    }
    return equal;
  }

  ByteView old_;
  ByteView fresh_;
  const Gathered& gathered_;
  SuffixSearch search_;
};

}  // namespace

Result<std::vector<Cover>> match_suffixes(ByteView old, ByteView fresh, std::vector<Cover> covers,
                                          const MatchOptions& options, const StopToken& stop) {
  const std::uint64_t limit = std::min<std::uint64_t>(options.suffix_bytes, INT32_MAX / 2);
  const Gathered gathered = gather_unused(old, covers, limit);
  if (gathered.bytes.size() < kMinMatch) return covers;
  const GapMatcher matcher(old, fresh, gathered);
  std::vector<Cover> all;
  std::uint64_t begin = 0;
  Cover before;
  covers.push_back({0, fresh.size(), 0});
  for (const auto& cover : covers) {
    SHOAL_TRY(stop.check());
    if (cover.new_begin >= begin + kMinGap) {
      const auto found = matcher.fill(begin, cover.new_begin, before);
      all.insert(all.end(), found.begin(), found.end());
    }
    if (cover.size > 0) all.push_back(cover);
    begin = cover.new_end();
    before = cover;
  }
  return all;
}

Result<std::vector<Cover>> match(ByteView old, ByteView fresh, const MatchOptions& options,
                                 const StopToken& stop) {
  SHOAL_ASSIGN(auto covers, match_blocks(old, fresh, stop));
  return match_suffixes(old, fresh, std::move(covers), options, stop);
}

}  // namespace shoal::delta
