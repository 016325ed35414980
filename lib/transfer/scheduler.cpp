// Three reasons to ask the edge, tried in this order at each decision:
//   1. must: no connected peer has the piece, and by rendezvous hashing it is this machine that
//      fetches it for all. Unlimited in rate: it is the one copy that somebody has to pull.
//   2. share: the peers leave part of the link idle; EdgeShare says how many bytes per second the
//   edge may
//      add, and the rarest pieces are taken. First those that another machine should have fetched
//      but nobody has for a while, in the order of our claim.
//   3. rescue: nothing moves, or the end is near and peers are too slow: everything that is left.
// Pieces are walked through cursors over orders that are rebuilt only when peers change.
#include "transfer/scheduler.hpp"

#include <algorithm>
#include <cassert>
#include <memory>
#include <numeric>

#include "transfer/edge_share.hpp"
#include "transfer/rendezvous.hpp"

namespace shoal::transfer {
namespace {

// Neighbours go to the same machine up to this size, so that the edge sees joined requests.
constexpr std::uint64_t kRunBytes = 1 << 20;
// Nodes that take part in the rendezvous; more than a swarm connects to. Bounds the work.
constexpr std::size_t kMaxNodes = 256;
// What is asked of the edge at a time is about this much of its rate: enough to keep it busy,
// little enough that plans can change.
constexpr double kInFlightSeconds = 2;
constexpr std::uint64_t kMinInFlightBytes = 8ULL << 20;
constexpr std::uint32_t kFailuresBeforeDown = 8;  // in a row, without a success
constexpr std::size_t kShareBatch = 256;          // rarest pieces looked up at a time

// What a policy is willing to wait for.
struct Patience {
  std::uint64_t missing_ms = 0;   // a piece that no peer has, before it is fetched as a must
  std::uint64_t takeover_ms = 0;  // the same, when another machine should fetch it
  std::uint64_t stall_ms = 0;     // nothing at all comes from peers
  double endgame_seconds = 0;     // of the link's capacity: how much is "the end"
  EdgeShareTuning share;
};

Patience patience_of(Policy policy) {
  switch (policy) {
    case Policy::fastest:
      return {0, 3'000, 3'000, 1.0, {true, 0.85, 1.0, 1'500}};
    case Policy::balanced:
      return {1'500, 8'000, 8'000, 0.5, {true, 0.5, 0.6, 6'000}};
    case Policy::thrifty:
      return {5'000, 30'000, 60'000, 0, {false, 0, 0, 0}};
  }
  return {};
}

}  // namespace

struct Scheduler::State {
  SchedulerOptions options;
  Patience patience;
  EdgeShare share;

  // By piece.
  std::vector<std::uint8_t> missing;
  std::vector<std::uint8_t> in_flight;
  std::vector<std::uint16_t> availability;
  std::vector<std::uint32_t> unavailable_since_ds;  // tenths of a second; while nobody has it
  std::vector<std::uint64_t> retry_at_ms;           // empty until something fails
  std::uint32_t missing_count = 0;
  std::uint32_t in_flight_count = 0;
  std::uint32_t offered_count = 0;  // missing pieces that some peer has

  std::uint32_t pieces_per_run = 1;
  std::vector<std::uint64_t> nodes;      // other machines that fetch from the edge, sorted
  std::vector<std::uint32_t> own_runs;   // those we own, by claim, highest first
  std::vector<std::uint32_t> next_runs;  // the others: next in line first, then by claim
  std::size_t own_cursor = 0;            // into own_runs × pieces_per_run
  std::size_t next_cursor = 0;
  bool orders_stale = true;

  std::vector<std::uint32_t> share_batch;  // rarest first
  std::size_t share_cursor = 0;
  bool share_batch_stale = true;
  double share_tokens = 0;  // bytes the edge may be asked for as its share

  std::vector<std::uint32_t> give_back;
  std::uint64_t now_ms = 0;
  std::uint64_t started_ms = 0;
  bool started = false;
  std::uint64_t last_view_ms = 0;
  std::uint64_t last_peer_bytes_ms = 0;
  double peer_rate = 0;
  double edge_rate = 0;
  std::uint64_t edge_bytes_since_view = 0;  // our own count of what the edge completed
  bool edge_unlimited = true;               // since the last view it never ran out of work
  std::uint32_t failures = 0;               // of the edge, since its last success
  std::uint64_t down_until_ms = 0;

  State(const SchedulerOptions& given, const PieceSet& wanted);

  std::uint32_t size() const { return static_cast<std::uint32_t>(missing.size()); }
  void begin(std::uint64_t now);
  void set_missing(std::uint32_t piece, bool is_missing);
  void take_view(const SwarmView& view);
  void take_availability(const std::vector<std::uint16_t>& now);
  void take_nodes(const SwarmView& view);
  void clear_swarm();
  void give_back_what_peers_have();
  void rewind();
  void rebuild_orders();
  void rebuild_share_batch();

  bool edge_down() const { return failures > 0 && down_until_ms > 0; }
  bool may_fetch(std::uint32_t piece) const {
    return missing[piece] != 0 && in_flight[piece] == 0 &&
           (retry_at_ms.empty() || retry_at_ms[piece] <= now_ms);
  }
  bool unavailable_for(std::uint32_t piece, std::uint64_t wait_ms) const {
    return availability[piece] == 0 &&
           now_ms >= std::uint64_t{unavailable_since_ds[piece]} * 100 + wait_ms;
  }
  std::uint32_t in_flight_limit() const;
  void ask(std::uint32_t piece, Decision& decision);
  void fetch_musts(std::uint32_t limit, Decision& decision);
  void fetch_share(std::uint32_t limit, Decision& decision);
  void fetch_rest(std::uint32_t limit, Decision& decision);
  bool rescue_needed() const;
  double deadline_rate() const;
};

Scheduler::State::State(const SchedulerOptions& given, const PieceSet& wanted)
    : options(given), patience(patience_of(given.policy)), share(patience.share) {
  if (options.piece_size == 0) options.piece_size = kRunBytes;
  missing.resize(wanted.size());
  in_flight.resize(wanted.size());
  availability.resize(wanted.size());
  unavailable_since_ds.resize(wanted.size());
  for (std::uint32_t piece = 0; piece < wanted.size(); ++piece)
    if (wanted.has(PieceIndex(piece))) set_missing(piece, true);
  pieces_per_run =
      static_cast<std::uint32_t>(std::max<std::uint64_t>(1, kRunBytes / options.piece_size));
}

void Scheduler::State::begin(std::uint64_t now) {
  now_ms = std::max(now_ms, now);
  if (started) return;
  started = true;
  started_ms = last_view_ms = last_peer_bytes_ms = now_ms;
  std::fill(unavailable_since_ds.begin(), unavailable_since_ds.end(),
            static_cast<std::uint32_t>(now_ms / 100));
}

void Scheduler::State::set_missing(std::uint32_t piece, bool is_missing) {
  if ((missing[piece] != 0) == is_missing) return;
  missing[piece] = is_missing ? 1 : 0;
  std::uint32_t change = is_missing ? 1U : ~0U;  // ±1 in modular arithmetic
  missing_count += change;
  if (availability[piece] > 0) offered_count += change;
}

// --- what the swarm tells ---

void Scheduler::State::take_view(const SwarmView& view) {
  if (!options.swarm_enabled) return;
  if (options.node == 0) options.node = view.self_node;
  take_availability(view.availability);
  take_nodes(view);
  double elapsed_s =
      static_cast<double>(std::max<std::uint64_t>(now_ms - last_view_ms, 100)) / 1000;
  last_view_ms = now_ms;
  peer_rate = static_cast<double>(view.download_bytes_per_s);
  if (view.download_bytes_per_s > 0) last_peer_bytes_ms = now_ms;
  double counted = static_cast<double>(edge_bytes_since_view) / elapsed_s;
  edge_bytes_since_view = 0;
  double remaining = static_cast<double>(missing_count) * static_cast<double>(options.piece_size);
  constexpr double kExploreSeconds = 15;  // a look takes a few seconds; less is left to the endgame
  if (edge_down())
    give_back_what_peers_have();
  else
    share.sample(now_ms, peer_rate, edge_rate > 0 ? edge_rate : counted, edge_unlimited,
                 remaining > kExploreSeconds * peer_rate);
  edge_unlimited = true;  // until a decision finds nothing that must be fetched
  share_batch_stale = true;
}

void Scheduler::State::take_availability(const std::vector<std::uint16_t>& now) {
  bool lost_some = false;
  for (std::uint32_t piece = 0; piece < size(); ++piece) {
    std::uint16_t count = piece < now.size() ? now[piece] : 0;
    bool had = availability[piece] > 0;
    bool has = count > 0;
    availability[piece] = count;
    if (had == has) continue;
    if (missing[piece] != 0) offered_count += has ? 1U : ~0U;
    if (!has) unavailable_since_ds[piece] = static_cast<std::uint32_t>(now_ms / 100);
    lost_some = lost_some || !has;
  }
  if (lost_some) rewind();
}

void Scheduler::State::take_nodes(const SwarmView& view) {
  std::vector<std::uint64_t> now;
  for (const auto& peer : view.peers)
    if (peer.node != 0 && !peer.seed && peer.node != options.node && now.size() < kMaxNodes)
      now.push_back(peer.node);
  std::sort(now.begin(), now.end());
  now.erase(std::unique(now.begin(), now.end()), now.end());
  if (now == nodes) return;
  nodes = std::move(now);
  orders_stale = true;
}

// The edge does not answer: what it was asked for may come from peers meanwhile.
void Scheduler::State::give_back_what_peers_have() {
  for (std::uint32_t piece = 0; piece < size(); ++piece) {
    if (in_flight[piece] == 0 || availability[piece] == 0) continue;
    in_flight[piece] = 0;
    --in_flight_count;
    give_back.push_back(piece);
  }
}

void Scheduler::State::clear_swarm() {
  std::fill(availability.begin(), availability.end(), 0);
  offered_count = 0;
  nodes.clear();
  peer_rate = 0;
  orders_stale = share_batch_stale = true;
}

void Scheduler::State::rewind() { own_cursor = next_cursor = 0; }

void Scheduler::State::rebuild_orders() {
  orders_stale = false;
  rewind();
  own_runs.clear();
  next_runs.clear();
  std::uint32_t runs = (size() + pieces_per_run - 1) / pieces_per_run;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> ranked(runs);  // rank, inverted claim
  for (std::uint32_t run = 0; run < runs; ++run)
    ranked[run] = {rank_of(options.node, nodes, run), ~claim(options.node, run)};
  std::vector<std::uint32_t> order(runs);
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return ranked[a] < ranked[b]; });
  for (auto run : order) (ranked[run].first == 0 ? own_runs : next_runs).push_back(run);
  if (options.swarm_enabled) return;
  // Nobody to share with: in sequence, which the edge likes best, each machine from its own place.
  std::iota(own_runs.begin(), own_runs.end(), 0U);
  if (runs > 0)
    std::rotate(own_runs.begin(),
                own_runs.begin() + static_cast<std::ptrdiff_t>(claim(options.node, 0) % runs),
                own_runs.end());
}

// The rarest of the missing pieces; equally rare ones in the order of our claims, which is another
// one on each machine.
void Scheduler::State::rebuild_share_batch() {
  share_batch_stale = false;
  share_cursor = 0;
  share_batch.clear();
  for (std::uint32_t piece = 0; piece < size(); ++piece)
    if (availability[piece] > 0 && may_fetch(piece)) share_batch.push_back(piece);
  auto rarer = [&](std::uint32_t a, std::uint32_t b) {
    if (availability[a] != availability[b]) return availability[a] < availability[b];
    std::uint32_t run_a = a / pieces_per_run;
    std::uint32_t run_b = b / pieces_per_run;
    if (run_a == run_b) return a < b;
    return claim(options.node, run_a) > claim(options.node, run_b);
  };
  auto middle =
      share_batch.begin() + static_cast<std::ptrdiff_t>(std::min(share_batch.size(), kShareBatch));
  std::partial_sort(share_batch.begin(), middle, share_batch.end(), rarer);
  share_batch.erase(middle, share_batch.end());
}

// --- decisions ---

std::uint32_t Scheduler::State::in_flight_limit() const {
  std::uint64_t bytes = options.max_in_flight_bytes;
  if (options.swarm_enabled)
    bytes = std::min(bytes, std::max(kMinInFlightBytes,
                                     static_cast<std::uint64_t>(edge_rate * kInFlightSeconds)));
  // A mirror that comes back is tried with little.
  if (edge_down()) bytes = std::min(bytes, kRunBytes);
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, bytes / options.piece_size));
}

void Scheduler::State::ask(std::uint32_t piece, Decision& decision) {
  in_flight[piece] = 1;
  ++in_flight_count;
  decision.fetch.emplace_back(piece);
}

void Scheduler::State::fetch_musts(std::uint32_t limit, Decision& decision) {
  bool waiting = false;  // some will be musts when patience ends: do not pass the cursor over them
  std::size_t end = own_runs.size() * pieces_per_run;
  std::size_t at = own_cursor;
  for (; at < end && in_flight_count < limit; ++at) {
    std::uint32_t piece = own_runs[at / pieces_per_run] * pieces_per_run +
                          static_cast<std::uint32_t>(at % pieces_per_run);
    if (piece >= size() || missing[piece] == 0) continue;
    bool later = availability[piece] == 0 && !in_flight[piece];
    if (may_fetch(piece) &&
        unavailable_for(piece, options.swarm_enabled ? patience.missing_ms : 0)) {
      ask(piece, decision);
      later = false;
    }
    if (later && !waiting) own_cursor = at;
    waiting = waiting || later;
  }
  if (!waiting) own_cursor = at;
  if (at >= end && in_flight_count < limit) edge_unlimited = false;
}

void Scheduler::State::fetch_share(std::uint32_t limit, Decision& decision) {
  auto piece_size = static_cast<double>(options.piece_size);
  std::size_t end = next_runs.size() * pieces_per_run;
  for (std::size_t at = next_cursor;
       at < end && in_flight_count < limit && share_tokens >= piece_size; ++at) {
    std::uint32_t piece = next_runs[at / pieces_per_run] * pieces_per_run +
                          static_cast<std::uint32_t>(at % pieces_per_run);
    bool gone = piece >= size() || missing[piece] == 0;
    if (gone && at == next_cursor) ++next_cursor;
    if (gone || !may_fetch(piece) || !unavailable_for(piece, patience.takeover_ms)) continue;
    ask(piece, decision);
    share_tokens -= piece_size;
  }
  if (share_tokens < piece_size || in_flight_count >= limit) return;
  if (share_batch_stale) rebuild_share_batch();
  for (; share_cursor < share_batch.size() && in_flight_count < limit && share_tokens >= piece_size;
       ++share_cursor) {
    std::uint32_t piece = share_batch[share_cursor];
    if (!may_fetch(piece)) continue;
    ask(piece, decision);
    share_tokens -= piece_size;
  }
}

void Scheduler::State::fetch_rest(std::uint32_t limit, Decision& decision) {
  share_tokens = static_cast<double>(options.max_in_flight_bytes);
  fetch_share(limit, decision);
  share_tokens = 0;
  if (in_flight_count >= limit) edge_unlimited = true;
}

// Nothing comes from peers, or the little that is left would take them too long.
bool Scheduler::State::rescue_needed() const {
  if (now_ms >= last_peer_bytes_ms + patience.stall_ms) return true;
  double remaining = static_cast<double>(missing_count) * static_cast<double>(options.piece_size);
  double capacity = share.capacity_bytes_per_s();
  bool near_the_end = remaining <= capacity * patience.endgame_seconds;
  return near_the_end && peer_rate < capacity / 2;
}

// What peers would have to deliver on average from now on to be done in time; 0 without a deadline.
double Scheduler::State::deadline_rate() const {
  if (options.policy != Policy::thrifty || options.deadline_ms == 0) return 0;
  constexpr double kMargin = 1.1;       // rates vary
  constexpr double kLastSeconds = 1.0;  // past the deadline: as if it were in a second
  double left_s = static_cast<double>(started_ms + options.deadline_ms) / 1000 -
                  static_cast<double>(now_ms) / 1000;
  double remaining = static_cast<double>(missing_count) * static_cast<double>(options.piece_size);
  return kMargin * remaining / std::max(left_s, kLastSeconds);
}

// --- the class ---

Scheduler::Scheduler(const SchedulerOptions& options, PieceSet wanted)
    : state_(std::make_unique<State>(options, wanted)) {}
Scheduler::~Scheduler() = default;
Scheduler::Scheduler(Scheduler&&) noexcept = default;

void Scheduler::piece_done(PieceIndex piece) {
  auto& s = *state_;
  if (piece.value() >= s.size()) return;
  s.set_missing(piece.value(), false);
  if (s.in_flight[piece.value()] == 0) return;
  // From the edge or from peers, we cannot tell: giving it back is harmless when it has come.
  s.in_flight[piece.value()] = 0;
  --s.in_flight_count;
  s.edge_bytes_since_view += s.options.piece_size;
  s.failures = 0;
  s.down_until_ms = 0;
  s.give_back.push_back(piece.value());
}

void Scheduler::piece_lost(PieceIndex piece) {
  auto& s = *state_;
  if (piece.value() >= s.size()) return;
  s.set_missing(piece.value(), true);
  s.rewind();
  s.share_batch_stale = true;
}

void Scheduler::swarm_view(const SwarmView& view, std::uint64_t now_ms) {
  state_->begin(now_ms);
  state_->take_view(view);
}

void Scheduler::edge_rate(std::uint64_t bytes_per_s) {
  state_->edge_rate = static_cast<double>(bytes_per_s);
}

void Scheduler::edge_failed(PieceIndex piece, std::uint64_t retry_at_ms) {
  auto& s = *state_;
  if (piece.value() >= s.size()) return;
  if (s.in_flight[piece.value()] != 0) {
    s.in_flight[piece.value()] = 0;
    --s.in_flight_count;
  }
  if (s.retry_at_ms.empty()) s.retry_at_ms.resize(s.size());
  s.retry_at_ms[piece.value()] = retry_at_ms;
  s.rewind();
  ++s.failures;
  bool nothing_works = s.failures >= kFailuresBeforeDown || s.in_flight_count == 0;
  if (nothing_works || s.down_until_ms > 0)
    s.down_until_ms = std::max(s.down_until_ms, retry_at_ms);
}

void Scheduler::set_swarm_enabled(bool enabled) {
  auto& s = *state_;
  if (s.options.swarm_enabled == enabled) return;
  s.options.swarm_enabled = enabled;
  s.last_peer_bytes_ms = s.now_ms;
  s.clear_swarm();
}

void Scheduler::set_policy(Policy policy, std::uint64_t deadline_ms) {
  auto& s = *state_;
  s.options.policy = policy;
  s.options.deadline_ms = deadline_ms;
  s.patience = patience_of(policy);
  s.share.set_tuning(s.patience.share);
}

Decision Scheduler::decide(std::uint64_t now_ms) {
  auto& s = *state_;
  std::uint64_t before_ms = s.started ? s.now_ms : now_ms;
  s.begin(now_ms);
  Decision decision;
  for (auto piece : s.give_back) decision.give_back.emplace_back(piece);
  s.give_back.clear();
  if (s.missing_count == 0) return decision;
  if (s.orders_stale) s.rebuild_orders();

  double peers_should = s.deadline_rate();
  double rate = std::max(s.share.rate_bytes_per_s(), peers_should - s.peer_rate);
  auto piece_size = static_cast<double>(s.options.piece_size);
  double elapsed_s = static_cast<double>(s.now_ms - before_ms) / 1000;
  s.share_tokens = std::min(s.share_tokens + std::max(rate, 0.0) * elapsed_s,
                            std::max(piece_size, rate));  // at most a second's worth at once
  if (!s.edge_down() || s.now_ms >= s.down_until_ms) {
    std::uint32_t limit = s.in_flight_limit();
    s.fetch_musts(limit, decision);
    if (s.options.swarm_enabled && s.rescue_needed())
      s.fetch_rest(limit, decision);
    else
      s.fetch_share(limit, decision);
  }
  decision.waiting_for_source = s.edge_down() && s.offered_count == 0;
  return decision;
}

std::uint32_t Scheduler::missing() const { return state_->missing_count; }

}  // namespace shoal::transfer
