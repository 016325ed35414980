// Runs are ordered by (how many machines have a better claim than we, our claim): first those that
// are ours, then those that we take over when their owner does not fetch them. Equally rare pieces
// go in the order of our claims too, which is another one on each machine.
#include "transfer/candidates.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "transfer/rendezvous.hpp"

namespace shoal::transfer {
namespace {

// Neighbours go to the same machine up to this size, so that the edge sees joined requests.
constexpr std::uint64_t kRunBytes = 1 << 20;
constexpr std::size_t kRarestBatch = 256;  // looked up at a time

}  // namespace

Candidates::Candidates(const PieceLedger& pieces, std::uint64_t piece_size)
    : pieces_(pieces),
      pieces_per_run_(
          static_cast<std::uint32_t>(std::max<std::uint64_t>(1, kRunBytes / piece_size))) {}

void Candidates::set_members(std::uint64_t self, std::vector<std::uint64_t> others) {
  self_ = self;
  others_ = std::move(others);
  orders_stale_ = true;
}

void Candidates::set_alone(bool alone) {
  alone_ = alone;
  orders_stale_ = rarest_stale_ = true;
}

void Candidates::begin_at(std::uint32_t piece) {
  std::uint32_t run = piece / pieces_per_run_;
  if (first_run_ == run) return;
  first_run_ = run;
  orders_stale_ = true;
}

bool Candidates::owned(std::uint32_t piece) const {
  return rank_of(self_, others_, piece / pieces_per_run_) == 0;
}

void Candidates::rebuild_orders() {
  orders_stale_ = false;
  rewind();
  own_runs_.clear();
  next_runs_.clear();
  std::uint32_t runs = (pieces_.size() + pieces_per_run_ - 1) / pieces_per_run_;
  if (runs == 0) return;
  if (alone_) {
    own_runs_.resize(runs);
    std::iota(own_runs_.begin(), own_runs_.end(), 0U);
    auto first = static_cast<std::ptrdiff_t>(first_run_.value_or(claim(self_, 0) % runs));
    std::rotate(own_runs_.begin(), own_runs_.begin() + first, own_runs_.end());
    return;
  }
  std::vector<std::pair<std::uint32_t, std::uint64_t>> ranked(runs);  // rank, inverted claim
  for (std::uint32_t run = 0; run < runs; ++run)
    ranked[run] = {rank_of(self_, others_, run), ~claim(self_, run)};
  std::vector<std::uint32_t> order(runs);
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return ranked[a] < ranked[b]; });
  for (auto run : order) (ranked[run].first == 0 ? own_runs_ : next_runs_).push_back(run);
  if (first_run_)
    std::ranges::sort(own_runs_, {}, [&](auto run) { return (run + runs - *first_run_) % runs; });
}

void Candidates::rebuild_rarest(std::uint64_t now_ms) {
  rarest_stale_ = false;
  rarest_cursor_ = 0;
  rarest_.clear();
  for (std::uint32_t piece = 0; piece < pieces_.size(); ++piece)
    if (pieces_.availability(piece) > 0 && pieces_.may_ask(piece, now_ms)) rarest_.push_back(piece);
  auto rarer = [&](std::uint32_t a, std::uint32_t b) {
    if (pieces_.availability(a) != pieces_.availability(b))
      return pieces_.availability(a) < pieces_.availability(b);
    std::uint32_t run_a = a / pieces_per_run_;
    std::uint32_t run_b = b / pieces_per_run_;
    if (run_a == run_b) return a < b;
    return claim(self_, run_a) > claim(self_, run_b);
  };
  auto count = static_cast<std::ptrdiff_t>(std::min(rarest_.size(), kRarestBatch));
  auto middle = rarest_.begin() + count;
  std::partial_sort(rarest_.begin(), middle, rarest_.end(), rarer);
  rarest_.erase(middle, rarest_.end());
}

std::vector<std::uint32_t> Candidates::musts(std::uint64_t now_ms, std::uint64_t wait_ms,
                                             std::size_t room) {
  if (orders_stale_) rebuild_orders();
  std::vector<std::uint32_t> found;
  bool waiting = false;  // some will be musts later: the cursor stays before them
  std::size_t end = own_runs_.size() * pieces_per_run_;
  std::size_t at = own_cursor_;
  for (; at < end && found.size() < room; ++at) {
    std::uint32_t piece = piece_at(own_runs_, at);
    bool open = piece < pieces_.size() && pieces_.missing(piece) &&
                pieces_.asked(piece) == Asked::no && pieces_.availability(piece) == 0;
    if (!open) continue;
    if (pieces_.may_ask(piece, now_ms) && pieces_.unavailable_for(piece, wait_ms, now_ms)) {
      found.push_back(piece);
    } else if (!waiting) {
      waiting = true;
      own_cursor_ = at;
    }
  }
  if (!waiting) own_cursor_ = at;
  return found;
}

std::vector<std::uint32_t> Candidates::takeovers(std::uint64_t now_ms, std::uint64_t wait_ms,
                                                 std::size_t room) {
  if (orders_stale_) rebuild_orders();
  std::vector<std::uint32_t> found;
  std::size_t end = next_runs_.size() * pieces_per_run_;
  for (std::size_t at = next_cursor_; at < end && found.size() < room; ++at) {
    std::uint32_t piece = piece_at(next_runs_, at);
    bool gone = piece >= pieces_.size() || !pieces_.missing(piece);
    if (gone && at == next_cursor_) ++next_cursor_;
    if (!gone && pieces_.may_ask(piece, now_ms) && pieces_.unavailable_for(piece, wait_ms, now_ms))
      found.push_back(piece);
  }
  return found;
}

std::vector<std::uint32_t> Candidates::rarest(std::uint64_t now_ms, std::size_t room) {
  if (room > 0 && rarest_stale_) rebuild_rarest(now_ms);
  std::vector<std::uint32_t> found;
  for (; rarest_cursor_ < rarest_.size() && found.size() < room; ++rarest_cursor_)
    if (pieces_.may_ask(rarest_[rarest_cursor_], now_ms)) found.push_back(rarest_[rarest_cursor_]);
  return found;
}

}  // namespace shoal::transfer
