// Growth is scored as 2·equal − length; the best prefix wins. Looking on stops once the score has
// fallen far below the best: the rest of a file would otherwise be read for every match.
#include "delta/extend.hpp"

#include <algorithm>

namespace shoal::delta {
namespace {

constexpr std::int64_t kHopeless = 256;  // so far below the best score, no growth is tried further
constexpr std::uint64_t kBridged = 32;   // on one diagonal: another cover costs more than these
constexpr std::uint64_t kMaxOverlap = 1024;  // bytes of the cover before that a match may take over

}  // namespace

std::uint64_t CoverBuilder::growth_forward(const Cover& cover, std::uint64_t limit) const {
  limit = std::min({limit, fresh_.size() - cover.new_end(), old_.size() - cover.old_end()});
  std::int64_t score = 0, best_score = 0;
  std::uint64_t best = 0;
  for (std::uint64_t i = 0; i < limit && score > best_score - kHopeless; ++i) {
    score += fresh_[cover.new_end() + i] == old_[cover.old_end() + i] ? 1 : -1;
    if (score > best_score) {
      best_score = score;
      best = i + 1;
    }
  }
  return best;
}

std::uint64_t CoverBuilder::growth_backward(const Cover& cover, std::uint64_t limit) const {
  limit = std::min({limit, cover.new_begin, cover.old_begin});
  std::int64_t score = 0, best_score = 0;
  std::uint64_t best = 0;
  for (std::uint64_t i = 1; i <= limit && score > best_score - kHopeless; ++i) {
    score += fresh_[cover.new_begin - i] == old_[cover.old_begin - i] ? 1 : -1;
    if (score > best_score) {
      best_score = score;
      best = i;
    }
  }
  return best;
}

// Both have grown and overlap in the new bytes: left keeps the prefix with which most are equal.
void CoverBuilder::settle(Cover& left, Cover& right) const {
  if (left.new_end() <= right.new_begin) return;
  const std::uint64_t overlap = left.new_end() - right.new_begin;
  const std::uint64_t old_left = left.old_end() - overlap;
  std::int64_t score = 0, best_score = 0;
  std::uint64_t keep = 0;
  for (std::uint64_t i = 0; i < overlap; ++i) {
    const std::uint8_t byte = fresh_[right.new_begin + i];
    score += (byte == old_[old_left + i] ? 1 : 0) - (byte == old_[right.old_begin + i] ? 1 : 0);
    if (score > best_score) {
      best_score = score;
      keep = i + 1;
    }
  }
  left.size -= overlap - keep;
  right = {right.old_begin + keep, right.new_begin + keep, right.size - keep};
}

void CoverBuilder::push() {
  if (open_.size == 0) return;
  covers_.push_back(open_);
  free_begin_ = open_.new_end();
}

void CoverBuilder::add(Cover match) {
  if (open_.size > 0) {
    const bool same_diagonal =
        match.new_begin - open_.new_begin == match.old_begin - open_.old_begin;
    const std::uint64_t between =
        match.new_begin > open_.new_end() ? match.new_begin - open_.new_end() : 0;
    const std::uint64_t forward = growth_forward(open_, between);
    if (same_diagonal && (between <= kBridged || forward == between ||
                          forward + growth_backward(match, between) >= between)) {
      open_.size = std::max(open_.new_end(), match.new_end()) - open_.new_begin;
      return;
    }
    open_.size += forward;
    const std::uint64_t taken = std::min(open_.size - 1, forward + kMaxOverlap);
    const std::uint64_t room = match.new_begin - std::min(match.new_begin, open_.new_end() - taken);
    const std::uint64_t backward = growth_backward(match, room);
    match = {match.old_begin - backward, match.new_begin - backward, match.size + backward};
    settle(open_, match);
    if (match.size == 0) return;
  } else {
    const std::uint64_t backward = growth_backward(match, match.new_begin - free_begin_);
    match = {match.old_begin - backward, match.new_begin - backward, match.size + backward};
  }
  push();
  open_ = match;
}

std::vector<Cover> CoverBuilder::finish() {
  if (open_.size > 0) {
    open_.size += growth_forward(open_, end_ > open_.new_end() ? end_ - open_.new_end() : 0);
  }
  push();
  return std::move(covers_);
}

}  // namespace shoal::delta
