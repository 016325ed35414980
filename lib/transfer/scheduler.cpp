// Three reasons to ask the edge, tried in this order at each decision:
//   1. must: no connected peer has the piece, and by rendezvous hashing it is this machine that
//      fetches it for all. Unlimited in rate: it is the one copy that somebody has to pull.
//   2. share: the peers leave part of the link idle; EdgeShare says how many bytes per second the
//      edge may add. First come pieces that another machine should have fetched but nobody has for
//      a while, in the order of our claim; then the rarest.
//   3. rescue: nothing moves, or the end is near and peers are too slow: everything that is left.
// Which pieces: Candidates. How many at a time: EdgeQueue. How patient: the policy.
#include "transfer/scheduler.hpp"

#include <algorithm>
#include <utility>

#include "transfer/candidates.hpp"
#include "transfer/edge_queue.hpp"
#include "transfer/edge_share.hpp"
#include "transfer/piece_ledger.hpp"

namespace shoal::transfer {
namespace {

// Nodes that take part in the rendezvous; more than a swarm connects to. Bounds the work.
constexpr std::size_t kMaxNodes = 256;
// Peers take about this long to be found; until then no more is fetched than the first bytes or
// this part of everything, since another machine may be fetching the same.
constexpr std::uint64_t kSettlingMs = 1'500;
constexpr std::uint64_t kSettlingBytes = 2ULL << 20;
constexpr std::uint64_t kSettlingPart = 20;
// Alone and in order, pieces are asked for by this part of what may be asked at a time, so that
// they come in few requests.
constexpr std::uint32_t kRequestPart = 2;
constexpr std::uint64_t kMaxTickMs = 1'000;       // a longer pause between decisions earns no more
constexpr std::uint64_t kUnknownPiece = 1 << 20;  // the size of a piece, where nobody told

SchedulerOptions checked(SchedulerOptions options) {
  if (options.piece_size == 0) options.piece_size = kUnknownPiece;
  return options;
}

}  // namespace

struct Scheduler::State {
  SchedulerOptions options;
  Patience patience;
  PieceLedger pieces;
  Candidates candidates;
  EdgeQueue edge;
  EdgeShare share;

  std::vector<std::uint64_t> nodes;  // other machines that fetch from the edge, sorted
  double share_tokens = 0;           // bytes the edge may be asked for as its share

  std::uint64_t now_ms = 0;
  std::uint64_t started_ms = 0;
  bool started = false;
  std::uint64_t last_decision_ms = 0;
  std::uint64_t last_view_ms = 0;
  std::uint64_t last_peer_bytes_ms = 0;
  std::uint64_t peer_bytes = 0;  // at the last view, since the artifact was added
  double peer_rate = 0;
  bool edge_unlimited = true;  // since the last view it never ran out of work

  State(const SchedulerOptions& given, const PieceSet& wanted)
      : options(checked(given)),
        patience(patience_of(given.policy)),
        pieces(wanted),
        candidates(pieces, options.piece_size),
        edge(pieces, options.piece_size),
        share(patience.share) {
    candidates.set_members(options.node, {});
    candidates.set_alone(!options.swarm_enabled);
  }

  void begin(std::uint64_t now);
  void take_view(const SwarmView& view);
  void take_peer_rate(const SwarmView& view, std::uint64_t elapsed_ms);
  void take_nodes(const SwarmView& view);
  void set_swarm_enabled(bool enabled);

  bool settling() const {
    return options.swarm_enabled && nodes.empty() && now_ms < started_ms + kSettlingMs;
  }
  // Plans can change, or what is asked for first is needed first: then no more is asked for at a
  // time than keeps the edge busy.
  bool windowed() const { return options.swarm_enabled || candidates.in_sequence(); }
  double remaining_bytes() const {
    return static_cast<double>(pieces.missing_count()) * static_cast<double>(options.piece_size);
  }
  std::uint64_t in_flight_bytes() const;
  std::size_t room(std::uint32_t limit) const {
    return limit - std::min(limit, pieces.asked_count());
  }
  void ask(const std::vector<std::uint32_t>& list, Asked why, Decision& decision);
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
  if (pieces.set_availability(view.availability, now_ms)) candidates.rewind();
  candidates.availability_changed();
  take_nodes(view);
  std::uint64_t elapsed_ms = std::max<std::uint64_t>(now_ms - last_view_ms, 100);
  last_view_ms = now_ms;
  take_peer_rate(view, elapsed_ms);
  double edge_rate = edge.sample_rate(elapsed_ms);
  constexpr double kExploreSeconds = 15;  // a look takes a few seconds; less is left to the endgame
  if (edge.down())                        // what it was asked for may come from peers meanwhile
    edge.take_back_what_peers_have();
  else
    share.sample(now_ms, peer_rate, edge_rate, edge_unlimited,
                 remaining_bytes() > kExploreSeconds * peer_rate);
  edge_unlimited = true;  // until a decision finds nothing that must be fetched
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
  if (options.node == 0) options.node = view.self_node;
  std::vector<std::uint64_t> now;
  for (const auto& peer : view.peers)
    if (peer.node != 0 && !peer.seed && peer.node != options.node && now.size() < kMaxNodes)
      now.push_back(peer.node);
  std::sort(now.begin(), now.end());
  now.erase(std::unique(now.begin(), now.end()), now.end());
  if (now == nodes) return;
  nodes = std::move(now);
  candidates.set_members(options.node, nodes);
  // Machines that started before they knew each other have asked for the same pieces: what turns
  // out to be another's goes back, except the older half, which is on its way already.
  edge.take_back_newer_half([this](std::uint32_t piece) { return !candidates.owned(piece); });
}

void Scheduler::State::set_swarm_enabled(bool enabled) {
  if (options.swarm_enabled == enabled) return;
  options.swarm_enabled = enabled;
  last_peer_bytes_ms = now_ms;
  pieces.set_availability({}, now_ms);
  nodes.clear();
  peer_rate = 0;
  candidates.set_members(options.node, {});
  candidates.set_alone(!enabled);
}

// --- decisions ---

std::uint64_t Scheduler::State::in_flight_bytes() const {
  if (!settling()) return options.max_in_flight_bytes;
  std::uint64_t part = pieces.size() * options.piece_size / kSettlingPart;
  std::uint64_t allowed = std::max(kSettlingBytes, part);
  return std::min(options.max_in_flight_bytes, allowed - std::min(allowed, edge.bytes()));
}

void Scheduler::State::ask(const std::vector<std::uint32_t>& list, Asked why, Decision& decision) {
  for (auto piece : list) {
    edge.ask(piece, why);
    decision.fetch.emplace_back(piece);
  }
}

void Scheduler::State::fetch_musts(std::uint32_t limit, Decision& decision) {
  std::uint64_t wait_ms = options.swarm_enabled ? patience.missing_ms : 0;
  bool alone_in_order = !options.swarm_enabled && candidates.in_sequence();
  if (alone_in_order && room(limit) < limit / kRequestPart) return;
  ask(candidates.musts(now_ms, wait_ms, room(limit)), Asked::must, decision);
  if (room(limit) > 0) edge_unlimited = false;
}

void Scheduler::State::fetch_share(std::uint32_t limit, Decision& decision) {
  auto piece_size = static_cast<double>(options.piece_size);
  auto affordable = [&] {
    return std::min(room(limit), static_cast<std::size_t>(share_tokens / piece_size));
  };
  auto spend = [&](const std::vector<std::uint32_t>& list) {
    ask(list, Asked::share, decision);
    share_tokens -= piece_size * static_cast<double>(list.size());
  };
  spend(candidates.takeovers(now_ms, patience.takeover_ms, affordable()));
  spend(candidates.rarest(now_ms, affordable()));
}

void Scheduler::State::fetch_rest(std::uint32_t limit, Decision& decision) {
  share_tokens = static_cast<double>(limit) * static_cast<double>(options.piece_size);
  fetch_share(limit, decision);
  share_tokens = 0;
  if (room(limit) == 0) edge_unlimited = true;
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
  if (!patience.keeps_deadline || options.deadline_ms == 0) return 0;
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
  s.edge.piece_done(piece.value());
}

void Scheduler::piece_lost(PieceIndex piece) {
  auto& s = *state_;
  if (piece.value() >= s.pieces.size()) return;
  s.pieces.set_missing(piece.value(), true);
  s.candidates.rewind();
  s.candidates.availability_changed();
}

void Scheduler::swarm_view(const SwarmView& view, std::uint64_t now_ms) {
  state_->begin(now_ms);
  state_->take_view(view);
}

void Scheduler::edge_received(std::uint64_t bytes) { state_->edge.set_received(bytes); }

void Scheduler::edge_failed(PieceIndex piece, std::uint64_t retry_at_ms) {
  auto& s = *state_;
  if (piece.value() >= s.pieces.size()) return;
  s.edge.failed(piece.value(), retry_at_ms);
  s.candidates.rewind();
}

void Scheduler::needed_next(PieceIndex piece) {
  auto& s = *state_;
  auto index = piece.value();
  if (index >= s.pieces.size() || s.settling()) return;
  if (!s.pieces.missing(index) || s.pieces.asked(index) != Asked::no) return;
  if (!s.candidates.in_sequence()) s.edge.begin_narrow();
  s.candidates.begin_at(index);
}

void Scheduler::set_swarm_enabled(bool enabled) { state_->set_swarm_enabled(enabled); }

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
  for (auto piece : s.edge.give_back()) decision.give_back.emplace_back(piece);
  if (s.pieces.missing_count() == 0) return decision;
  s.earn_tokens();
  if (s.edge.may_ask(s.now_ms)) {
    std::uint32_t limit = s.edge.limit(s.in_flight_bytes(), s.windowed());
    s.fetch_musts(limit, decision);
    if (s.options.swarm_enabled && s.rescue_needed())
      s.fetch_rest(limit, decision);
    else
      s.fetch_share(std::min(limit, s.edge.paced_limit()), decision);
  }
  decision.waiting_for_source = s.edge.down() && s.pieces.offered_count() == 0;
  return decision;
}

std::uint32_t Scheduler::missing() const { return state_->pieces.missing_count(); }

}  // namespace shoal::transfer
