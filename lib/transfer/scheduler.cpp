// Three reasons to ask the edge, tried in this order at each decision:
//   1. must: no connected peer has the piece, and by rendezvous hashing it is this machine that
//      fetches it for all. Unlimited in rate: it is the one copy that somebody has to pull.
//   2. share: the peers leave part of the link idle; EdgeShare says how many bytes per second the
//      edge may add. First come pieces that another machine should have fetched but nobody has for
//      a while, in the order of our claim; then the rarest.
//   3. rescue: nothing moves, or the end is near and peers are too slow: everything that is left.
// Pieces are walked through cursors over orders that are rebuilt only when peers change.
#include "transfer/scheduler.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <numeric>

#include "transfer/edge_share.hpp"
#include "transfer/piece_ledger.hpp"
#include "transfer/rendezvous.hpp"

namespace shoal::transfer {
namespace {

// Neighbours go to the same machine up to this size, so that the edge sees joined requests.
constexpr std::uint64_t kRunBytes = 1 << 20;
// Nodes that take part in the rendezvous; more than a swarm connects to. Bounds the work.
constexpr std::size_t kMaxNodes = 256;
// What is asked of the edge at a time, the window, is a quarter to half a second of its rate:
// enough to keep it busy, little enough that plans can change. It begins small and doubles as
// needed.
constexpr std::uint64_t kFirstWindowBytes = 2ULL << 20;
constexpr std::uint64_t kWindowsPerS = 4;
// Peers take about this long to be found; until then no more is fetched than the first window or
// this part of everything, since another machine may be fetching the same.
constexpr std::uint64_t kSettlingMs = 1'500;
constexpr std::uint64_t kSettlingPart = 20;
constexpr std::uint32_t kFailuresBeforeDown = 8;  // in a row, without a success
constexpr std::size_t kShareBatch = 256;          // rarest pieces looked up at a time
constexpr std::uint64_t kMaxTickMs = 1'000;       // a longer pause between decisions earns no more

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
      return {0, 3'000, 3'000, 1.0, {true, 0.92, 1.0, 1'000}};
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
  PieceLedger pieces;
  EdgeShare share;

  std::uint32_t pieces_per_run = 1;
  std::vector<std::uint64_t> nodes;      // other machines that fetch from the edge, sorted
  std::vector<std::uint32_t> own_runs;   // those we own, by claim, highest first
  std::vector<std::uint32_t> next_runs;  // the others: next in line first, then by claim
  std::size_t own_cursor = 0;            // into own_runs × pieces_per_run
  std::size_t next_cursor = 0;
  bool orders_stale = true;
  std::deque<std::uint32_t> asked_order;  // oldest first; may name pieces that are answered
  std::vector<std::uint32_t> give_back;

  std::vector<std::uint32_t> share_batch;  // rarest first
  std::size_t share_cursor = 0;
  bool share_batch_stale = true;
  double share_tokens = 0;  // bytes the edge may be asked for as its share

  std::uint64_t now_ms = 0;
  std::uint64_t started_ms = 0;
  bool started = false;
  std::uint64_t last_decision_ms = 0;
  std::uint64_t last_view_ms = 0;
  std::uint64_t last_peer_bytes_ms = 0;
  std::uint64_t peer_bytes = 0;  // at the last view, since the artifact was added
  double peer_rate = 0;
  double edge_rate = 0;
  std::uint64_t edge_bytes_since_view = 0;  // our own count of what the edge completed
  std::uint64_t edge_bytes_since_decision = 0;
  std::uint64_t edge_bytes = 0;  // the same since the start
  bool edge_active = false;      // since the last view it was asked for something
  bool edge_unlimited = true;    // since the last view it never ran out of work
  std::uint64_t window_bytes = kFirstWindowBytes;
  std::uint32_t failures = 0;  // of the edge, since its last success
  std::uint64_t down_until_ms = 0;

  State(const SchedulerOptions& given, const PieceSet& wanted)
      : options(given), patience(patience_of(given.policy)), pieces(wanted), share(patience.share) {
    if (options.piece_size == 0) options.piece_size = kRunBytes;
    pieces_per_run =
        static_cast<std::uint32_t>(std::max<std::uint64_t>(1, kRunBytes / options.piece_size));
  }

  void begin(std::uint64_t now);
  void take_view(const SwarmView& view);
  void take_peer_rate(const SwarmView& view, std::uint64_t elapsed_ms);
  void take_nodes(const SwarmView& view);
  void clear_swarm();
  void rewind() { own_cursor = next_cursor = 0; }
  void rebuild_orders();
  void rebuild_share_batch();
  void give_back_what_others_own();
  void give_back_what_peers_have();
  void take_back(std::uint32_t piece);

  bool settling() const {
    return options.swarm_enabled && nodes.empty() && now_ms < started_ms + kSettlingMs;
  }
  bool edge_down() const { return down_until_ms > 0; }
  double remaining_bytes() const {
    return static_cast<double>(pieces.missing_count()) * static_cast<double>(options.piece_size);
  }
  // The piece at a place in an order of runs; size() or more: there is none.
  std::uint32_t piece_at(const std::vector<std::uint32_t>& runs, std::size_t place) const {
    return runs[place / pieces_per_run] * pieces_per_run +
           static_cast<std::uint32_t>(place % pieces_per_run);
  }
  std::uint32_t in_flight_limit();
  std::uint32_t share_limit() const;
  void ask(std::uint32_t piece, Asked why, Decision& decision);
  void fetch_musts(std::uint32_t limit, Decision& decision);
  void fetch_share(std::uint32_t limit, Decision& decision);
  void fetch_rest(std::uint32_t limit, Decision& decision);
  bool rescue_needed() const;
  double deadline_rate() const;
  void earn_tokens();
};

void Scheduler::State::begin(std::uint64_t now) {
  now_ms = std::max(now_ms, now);
  if (started) return;
  started = true;
  started_ms = last_decision_ms = last_view_ms = last_peer_bytes_ms = now_ms;
  pieces.begin(now_ms);
}

// --- what the swarm tells ---

void Scheduler::State::take_view(const SwarmView& view) {
  if (!options.swarm_enabled) return;
  if (options.node == 0) options.node = view.self_node;
  if (pieces.set_availability(view.availability, now_ms)) rewind();
  take_nodes(view);
  std::uint64_t elapsed_ms = std::max<std::uint64_t>(now_ms - last_view_ms, 100);
  last_view_ms = now_ms;
  take_peer_rate(view, elapsed_ms);
  // The rate we are told is an average that lags; our own count is coarse, but bounds it.
  auto elapsed_s = static_cast<double>(elapsed_ms) / 1000;
  double counted = static_cast<double>(edge_bytes_since_view) / elapsed_s;
  double in_flight =
      static_cast<double>(pieces.asked_count()) * static_cast<double>(options.piece_size);
  double edge = edge_rate > 0 ? std::min(edge_rate, counted + in_flight / elapsed_s) : counted;
  edge_bytes_since_view = 0;
  constexpr double kExploreSeconds = 15;  // a look takes a few seconds; less is left to the endgame
  if (edge_down())
    give_back_what_peers_have();
  else
    share.sample(now_ms, peer_rate, edge, edge_unlimited,
                 remaining_bytes() > kExploreSeconds * peer_rate);
  edge_unlimited = true;  // until a decision finds nothing that must be fetched
  share_batch_stale = true;
}

// From the byte count where there is one: it does not lag as averages do.
void Scheduler::State::take_peer_rate(const SwarmView& view, std::uint64_t elapsed_ms) {
  auto rate = static_cast<double>(view.download_bytes_per_s);
  if (view.downloaded_bytes > 0) {
    std::uint64_t fresh = view.downloaded_bytes - std::min(peer_bytes, view.downloaded_bytes);
    rate = static_cast<double>(fresh) * 1000 / static_cast<double>(elapsed_ms);
    peer_bytes = view.downloaded_bytes;
  }
  peer_rate = rate;
  if (rate > 0) last_peer_bytes_ms = now_ms;
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
  give_back_what_others_own();
}

void Scheduler::State::clear_swarm() {
  pieces.set_availability({}, now_ms);
  nodes.clear();
  peer_rate = 0;
  orders_stale = share_batch_stale = true;
}

// Orders of runs by (how many have a better claim than we, our claim).
void Scheduler::State::rebuild_orders() {
  orders_stale = false;
  rewind();
  own_runs.clear();
  next_runs.clear();
  std::uint32_t runs = (pieces.size() + pieces_per_run - 1) / pieces_per_run;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> ranked(runs);  // rank, inverted claim
  for (std::uint32_t run = 0; run < runs; ++run)
    ranked[run] = {rank_of(options.node, nodes, run), ~claim(options.node, run)};
  std::vector<std::uint32_t> order(runs);
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return ranked[a] < ranked[b]; });
  for (auto run : order) (ranked[run].first == 0 ? own_runs : next_runs).push_back(run);
  if (options.swarm_enabled || runs == 0) return;
  // Nobody to share with: in sequence, which the edge likes best, each machine from its own place.
  std::iota(own_runs.begin(), own_runs.end(), 0U);
  auto first = static_cast<std::ptrdiff_t>(claim(options.node, 0) % runs);
  std::rotate(own_runs.begin(), own_runs.begin() + first, own_runs.end());
}

// The rarest of the missing pieces; equally rare ones in the order of our claims, which is another
// one on each machine.
void Scheduler::State::rebuild_share_batch() {
  share_batch_stale = false;
  share_cursor = 0;
  share_batch.clear();
  for (std::uint32_t piece = 0; piece < pieces.size(); ++piece)
    if (pieces.availability(piece) > 0 && pieces.may_ask(piece, now_ms))
      share_batch.push_back(piece);
  auto rarer = [&](std::uint32_t a, std::uint32_t b) {
    if (pieces.availability(a) != pieces.availability(b))
      return pieces.availability(a) < pieces.availability(b);
    std::uint32_t run_a = a / pieces_per_run;
    std::uint32_t run_b = b / pieces_per_run;
    if (run_a == run_b) return a < b;
    return claim(options.node, run_a) > claim(options.node, run_b);
  };
  auto count = static_cast<std::ptrdiff_t>(std::min(share_batch.size(), kShareBatch));
  auto middle = share_batch.begin() + count;
  std::partial_sort(share_batch.begin(), middle, share_batch.end(), rarer);
  share_batch.erase(middle, share_batch.end());
}

void Scheduler::State::take_back(std::uint32_t piece) {
  pieces.set_asked(piece, Asked::no);
  give_back.push_back(piece);
}

// Machines that started before they knew each other have asked for the same pieces: what turns out
// to be another's goes back, except the older half, which is on its way already.
void Scheduler::State::give_back_what_others_own() {
  std::erase_if(asked_order,
                [&](std::uint32_t piece) { return pieces.asked(piece) != Asked::must; });
  for (std::size_t i = asked_order.size(); i-- > asked_order.size() / 2;)
    if (rank_of(options.node, nodes, asked_order[i] / pieces_per_run) > 0)
      take_back(asked_order[i]);
}

// The edge does not answer: what it was asked for may come from peers meanwhile.
void Scheduler::State::give_back_what_peers_have() {
  for (auto piece : asked_order)
    if (pieces.asked(piece) != Asked::no && pieces.availability(piece) > 0) take_back(piece);
}

// --- decisions ---

std::uint32_t Scheduler::State::in_flight_limit() {
  while (edge_bytes_since_decision * 10 > window_bytes * kWindowsPerS &&
         window_bytes < options.max_in_flight_bytes)
    window_bytes *= 2;
  edge_bytes_since_decision = 0;
  std::uint64_t bytes = options.max_in_flight_bytes;
  if (options.swarm_enabled) bytes = std::min(bytes, window_bytes);
  if (settling()) {
    std::uint64_t part = pieces.size() * options.piece_size / kSettlingPart;
    std::uint64_t allowed = std::max(kFirstWindowBytes, part);
    bytes = std::min(bytes, allowed - std::min(allowed, edge_bytes));
  }
  if (edge_down()) bytes = std::min(bytes, kRunBytes);  // a mirror that comes back: a careful look
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, bytes / options.piece_size));
}

// No backlog for the share: a change of its rate must show at once.
std::uint32_t Scheduler::State::share_limit() const {
  constexpr double kBacklogSeconds = 0.4;
  return 2 + static_cast<std::uint32_t>(edge_rate * kBacklogSeconds /
                                        static_cast<double>(options.piece_size));
}

void Scheduler::State::ask(std::uint32_t piece, Asked why, Decision& decision) {
  pieces.set_asked(piece, why);
  decision.fetch.emplace_back(piece);
  while (!asked_order.empty() && pieces.asked(asked_order.front()) == Asked::no)
    asked_order.pop_front();
  asked_order.push_back(piece);
}

void Scheduler::State::fetch_musts(std::uint32_t limit, Decision& decision) {
  std::uint64_t wait_ms = options.swarm_enabled ? patience.missing_ms : 0;
  bool waiting = false;  // some will be musts later: the cursor stays before them
  std::size_t end = own_runs.size() * pieces_per_run;
  std::size_t at = own_cursor;
  for (; at < end && pieces.asked_count() < limit; ++at) {
    std::uint32_t piece = piece_at(own_runs, at);
    bool open = piece < pieces.size() && pieces.missing(piece) &&
                pieces.asked(piece) == Asked::no && pieces.availability(piece) == 0;
    if (!open) continue;
    if (pieces.may_ask(piece, now_ms) && pieces.unavailable_for(piece, wait_ms, now_ms)) {
      ask(piece, Asked::must, decision);
    } else if (!waiting) {
      waiting = true;
      own_cursor = at;
    }
  }
  if (!waiting) own_cursor = at;
  if (pieces.asked_count() < limit) edge_unlimited = false;
}

void Scheduler::State::fetch_share(std::uint32_t limit, Decision& decision) {
  auto piece_size = static_cast<double>(options.piece_size);
  auto may_go_on = [&] { return pieces.asked_count() < limit && share_tokens >= piece_size; };
  std::size_t end = next_runs.size() * pieces_per_run;
  for (std::size_t at = next_cursor; at < end && may_go_on(); ++at) {
    std::uint32_t piece = piece_at(next_runs, at);
    bool gone = piece >= pieces.size() || !pieces.missing(piece);
    if (gone && at == next_cursor) ++next_cursor;
    if (gone || !pieces.may_ask(piece, now_ms) ||
        !pieces.unavailable_for(piece, patience.takeover_ms, now_ms))
      continue;
    ask(piece, Asked::share, decision);
    share_tokens -= piece_size;
  }
  if (may_go_on() && share_batch_stale) rebuild_share_batch();
  for (; share_cursor < share_batch.size() && may_go_on(); ++share_cursor) {
    if (!pieces.may_ask(share_batch[share_cursor], now_ms)) continue;
    ask(share_batch[share_cursor], Asked::share, decision);
    share_tokens -= piece_size;
  }
}

void Scheduler::State::fetch_rest(std::uint32_t limit, Decision& decision) {
  share_tokens = static_cast<double>(limit) * static_cast<double>(options.piece_size);
  fetch_share(limit, decision);
  share_tokens = 0;
  if (pieces.asked_count() >= limit) edge_unlimited = true;
}

// Nothing comes from peers, or the little that is left would take them too long.
bool Scheduler::State::rescue_needed() const {
  if (now_ms >= last_peer_bytes_ms + patience.stall_ms) return true;
  double capacity = share.capacity_bytes_per_s();
  bool near_the_end = remaining_bytes() <= capacity * patience.endgame_seconds;
  return near_the_end && peer_rate < capacity / 2;
}

// What peers and edge have to deliver on average from now on to be done in time; 0: no deadline.
double Scheduler::State::deadline_rate() const {
  if (options.policy != Policy::thrifty || options.deadline_ms == 0) return 0;
  constexpr double kMargin = 1.05;      // rates vary
  constexpr double kLastSeconds = 1.0;  // past the deadline: as if it were in a second
  double left_s =
      (static_cast<double>(started_ms + options.deadline_ms) - static_cast<double>(now_ms)) / 1000;
  return kMargin * remaining_bytes() / std::max(left_s, kLastSeconds);
}

void Scheduler::State::earn_tokens() {
  std::uint64_t elapsed_ms = std::min(now_ms - last_decision_ms, kMaxTickMs);
  last_decision_ms = now_ms;
  double rate = std::max(share.rate_bytes_per_s(), deadline_rate() - peer_rate);
  double earned = std::max(rate, 0.0) * static_cast<double>(elapsed_ms) / 1000;
  // No more than a quarter second's worth is kept: a change of the rate must show at once.
  double most = static_cast<double>(options.piece_size) + rate / 4;
  share_tokens = std::min(share_tokens + earned, most);
}

// --- the class ---

Scheduler::Scheduler(const SchedulerOptions& options, PieceSet wanted)
    : state_(std::make_unique<State>(options, wanted)) {}
Scheduler::~Scheduler() = default;
Scheduler::Scheduler(Scheduler&&) noexcept = default;

void Scheduler::piece_done(PieceIndex piece) {
  auto& s = *state_;
  if (piece.value() >= s.pieces.size()) return;
  s.pieces.set_missing(piece.value(), false);
  if (s.pieces.asked(piece.value()) == Asked::no) return;
  // From the edge or from peers, we cannot tell: giving it back is harmless when it has come.
  s.take_back(piece.value());
  s.edge_bytes_since_view += s.options.piece_size;
  s.edge_bytes_since_decision += s.options.piece_size;
  s.edge_bytes += s.options.piece_size;
  s.failures = 0;
  s.down_until_ms = 0;
}

void Scheduler::piece_lost(PieceIndex piece) {
  auto& s = *state_;
  if (piece.value() >= s.pieces.size()) return;
  s.pieces.set_missing(piece.value(), true);
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
  if (piece.value() >= s.pieces.size()) return;
  s.pieces.set_asked(piece.value(), Asked::no);
  s.pieces.set_retry_at(piece.value(), retry_at_ms);
  s.rewind();
  ++s.failures;
  // One object may be missing while the edge is well: it is down when nothing else works either.
  bool nothing_works = s.failures >= kFailuresBeforeDown || s.pieces.asked_count() == 0;
  if (nothing_works || s.edge_down()) s.down_until_ms = std::max(s.down_until_ms, retry_at_ms);
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
  s.begin(now_ms);
  Decision decision;
  for (auto piece : s.give_back) decision.give_back.emplace_back(piece);
  s.give_back.clear();
  if (s.pieces.missing_count() == 0) return decision;
  if (s.orders_stale) s.rebuild_orders();
  s.earn_tokens();
  if (!s.edge_down() || s.now_ms >= s.down_until_ms) {
    std::uint32_t limit = s.in_flight_limit();
    s.fetch_musts(limit, decision);
    if (s.options.swarm_enabled && s.rescue_needed())
      s.fetch_rest(limit, decision);
    else
      s.fetch_share(std::min(limit, s.share_limit()), decision);
  }
  decision.waiting_for_source = s.edge_down() && s.pieces.offered_count() == 0;
  return decision;
}

std::uint32_t Scheduler::missing() const { return state_->pieces.missing_count(); }

}  // namespace shoal::transfer
