// Each step: rates of all flows by progressive filling, bytes moved, pieces completed, schedulers
// asked. Peers' flows are renewed once a second (unchoking); a flow without a piece picks the
// rarest.
#include "swarm_sim.hpp"

#include <algorithm>
#include <deque>
#include <map>

namespace shoal::test {
namespace {

using transfer::PieceSet;

constexpr double kStepS = 0.1;
constexpr std::size_t kUploadSlots = 8;
constexpr std::size_t kEdgeFlows = 4;
constexpr double kConnectS = 0.3;  // at least, between joining and the first exchange; and …
constexpr std::uint64_t kConnectSpread = 12;  // … up to so many tenths of a second more
constexpr double kRetryS = 2.0;               // what the edge says when it fails

struct PeerFlow {
  std::size_t from = 0;
  std::size_t to = 0;
  std::int64_t piece = -1;  // none: idle
  double rate = 0;
};

struct Machine {
  SimClient link;
  std::unique_ptr<transfer::Scheduler> scheduler;
  PieceSet have;
  std::map<std::uint32_t, double> partial;   // bytes of pieces on their way from peers
  std::map<std::uint32_t, int> peer_flows;   // pieces being downloaded from peers: by how many
  std::deque<std::uint32_t> edge_queue;      // asked of the edge
  std::map<std::uint32_t, double> edge_got;  // bytes of the first few of them
  double edge_rate = 0;                      // of each of its edge flows, this step
  double peer_bytes_view = 0;
  double peer_bytes = 0;
  double edge_bytes = 0;
  double finished_s = -1;
  double last_bytes = 0;
  double last_bytes_s = 0;
  double longest_stall_s = 0;
  bool waited = false;
};

class Simulation {
 public:
  Simulation(const SimOptions& options, const std::vector<SimClient>& clients)
      : options_(options), random_(options.seed) {
    for (const auto& client : clients) {
      Machine machine;
      machine.link = client;
      machine.have = PieceSet(options.pieces, client.seed);
      transfer::SchedulerOptions scheduling;
      scheduling.policy = options.policy;
      scheduling.piece_size = options.piece_size;
      scheduling.swarm_enabled = client.consent;
      scheduling.deadline_ms = static_cast<std::uint64_t>(options.deadline_s * 1000);
      scheduling.node = node_of(machines_.size());
      machine.scheduler =
          std::make_unique<transfer::Scheduler>(scheduling, PieceSet(options.pieces, !client.seed));
      machines_.push_back(std::move(machine));
    }
  }

  SimResult run() {
    for (step_ = 0; now() < options_.stop_s && !done(); ++step_) {
      if (step_ % 10 == 0) choose_flows();
      pick_pieces();
      share_links();
      move_bytes();
      for (std::size_t i = 0; i < machines_.size(); ++i) schedule(i);
    }
    return result();
  }

 private:
  double now() const { return static_cast<double>(step_) * kStepS; }
  std::uint64_t now_ms() const { return step_ * 100; }
  static std::uint64_t node_of(std::size_t index) { return 1000 + 7919 * index; }
  double size() const {
    return static_cast<double>(options_.pieces) * static_cast<double>(options_.piece_size);
  }
  bool present(const Machine& machine) const {
    return now() >= machine.link.join_s && now() < machine.link.leave_s;
  }
  bool connected(std::size_t a, std::size_t b) const {
    const auto& first = machines_[a];
    const auto& second = machines_[b];
    bool reachable = first.link.up > 0 || second.link.up > 0;
    return a != b && present(first) && present(second) && first.link.consent &&
           second.link.consent && reachable &&
           now() >= std::max(first.link.join_s, second.link.join_s) + connect_s(a, b);
  }
  // Between joining and the first exchange: another time for each pair, since a machine that meets
  // all others at once divides the work better than a real one can.
  static double connect_s(std::size_t a, std::size_t b) {
    std::uint64_t pair = std::min(a, b) * 31 + std::max(a, b) * 17;
    return kConnectS + 0.1 * static_cast<double>(pair * 2654435761U / 65536 % kConnectSpread);
  }
  bool edge_up() const { return now() < options_.edge_dies_s || now() >= options_.edge_returns_s; }
  bool done() const {
    return std::all_of(machines_.begin(), machines_.end(), [&](const Machine& machine) {
      return machine.have.all() || now() >= machine.link.leave_s;
    });
  }
  bool interested(const Machine& to, const Machine& from) const {
    for (std::uint32_t piece = 0; piece < options_.pieces; ++piece)
      if (from.have.has(PieceIndex(piece)) && !to.have.has(PieceIndex(piece))) return true;
    return false;
  }

  // Upload slots, at random among those interested: what tit-for-tat comes to among equals.
  void choose_flows() {
    std::vector<PeerFlow> chosen;
    for (std::size_t from = 0; from < machines_.size(); ++from) {
      if (machines_[from].link.up <= 0) continue;
      std::vector<std::size_t> candidates;
      for (std::size_t to = 0; to < machines_.size(); ++to)
        if (connected(from, to) && interested(machines_[to], machines_[from]))
          candidates.push_back(to);
      std::shuffle(candidates.begin(), candidates.end(), random_);
      if (candidates.size() > kUploadSlots) candidates.resize(kUploadSlots);
      for (auto to : candidates) {
        PeerFlow flow{from, to};
        for (const auto& old : flows_)
          if (old.from == from && old.to == to) flow.piece = old.piece;
        chosen.push_back(flow);
      }
    }
    flows_ = std::move(chosen);
    for (auto& machine : machines_) machine.peer_flows.clear();
    for (const auto& flow : flows_)
      if (flow.piece >= 0) ++machines_[flow.to].peer_flows[static_cast<std::uint32_t>(flow.piece)];
    count_availability();
  }

  void count_availability() {
    counts_.assign(options_.pieces, 0);
    for (const auto& machine : machines_)
      if (present(machine))
        for (std::uint32_t piece = 0; piece < options_.pieces; ++piece)
          counts_[piece] += machine.have.has(PieceIndex(piece)) ? 1 : 0;
  }

  // Rarest first; then what the edge was asked for; then one that another peer is busy with.
  std::int64_t pick(const Machine& to, const Machine& from) {
    std::int64_t best = -1;
    std::uint64_t best_score = UINT64_MAX;
    std::uint64_t salt = random_();
    for (std::uint32_t piece = 0; piece < options_.pieces; ++piece) {
      if (to.have.has(PieceIndex(piece)) || !from.have.has(PieceIndex(piece))) continue;
      std::uint64_t busy = to.peer_flows.contains(piece) ? 4 : 0;
      bool reserved =
          std::find(to.edge_queue.begin(), to.edge_queue.end(), piece) != to.edge_queue.end();
      busy += reserved ? 2 : 0;
      busy += to.partial.contains(piece) && busy == 0 ? 0 : 1;  // finish what was begun
      std::uint64_t score = busy << 48 | static_cast<std::uint64_t>(counts_[piece]) << 32 |
                            ((piece * 2654435761ULL ^ salt) & 0xffffffffU);
      if (score >= best_score) continue;
      best_score = score;
      best = piece;
    }
    return best;
  }

  void pick_pieces() {
    for (auto& flow : flows_) {
      auto& to = machines_[flow.to];
      bool valid =
          flow.piece >= 0 && !to.have.has(PieceIndex(static_cast<std::uint32_t>(flow.piece)));
      if (!connected(flow.from, flow.to)) {
        flow.piece = -1;
        continue;
      }
      if (valid) continue;
      flow.piece = pick(to, machines_[flow.from]);
      if (flow.piece >= 0) ++to.peer_flows[static_cast<std::uint32_t>(flow.piece)];
    }
  }

  // Max-min fairness by progressive filling. Links: uplinks, then downlinks, then the edge's.
  void share_links() {
    struct Flow {
      std::size_t links[2];
      double* rate;
    };
    std::size_t count = machines_.size();
    std::vector<double> capacity(2 * count + 1);
    for (std::size_t i = 0; i < count; ++i) {
      const auto& link = machines_[i].link;
      capacity[i] = now() < link.tires_s ? link.up : link.up_later;
      capacity[count + i] = machines_[i].link.down;
    }
    capacity[2 * count] = options_.edge_up > 0 ? options_.edge_up : 1e15;
    std::vector<Flow> open;
    for (auto& flow : flows_) {
      flow.rate = 0;
      if (flow.piece >= 0) open.push_back({{flow.from, count + flow.to}, &flow.rate});
    }
    for (std::size_t i = 0; i < count; ++i) {
      machines_[i].edge_rate = 0;
      std::size_t flows = std::min(machines_[i].edge_queue.size(), kEdgeFlows);
      if (!edge_up() || !present(machines_[i])) flows = 0;
      // All edge flows of a machine share the rate: the last write of equal values.
      for (std::size_t k = 0; k < flows; ++k)
        open.push_back({{2 * count, count + i}, &machines_[i].edge_rate});
    }
    while (!open.empty()) {
      std::vector<double> users(capacity.size());
      for (const auto& flow : open)
        for (auto link : flow.links) ++users[link];
      std::size_t tightest = 0;
      double share = 1e18;
      for (std::size_t link = 0; link < capacity.size(); ++link) {
        if (users[link] == 0 || capacity[link] / users[link] >= share) continue;
        share = capacity[link] / users[link];
        tightest = link;
      }
      std::vector<Flow> rest;
      for (const auto& flow : open) {
        if (flow.links[0] != tightest && flow.links[1] != tightest) {
          rest.push_back(flow);
          continue;
        }
        *flow.rate = share;
        for (auto link : flow.links) capacity[link] = std::max(0.0, capacity[link] - share);
      }
      open = std::move(rest);
    }
  }

  void complete(Machine& machine, std::uint32_t piece) {
    machine.partial.erase(piece);
    machine.peer_flows.erase(piece);
    if (machine.have.has(PieceIndex(piece))) return;
    machine.have.add(PieceIndex(piece));
    ++counts_[piece];
    machine.scheduler->piece_done(PieceIndex(piece));
    if (machine.have.all()) machine.finished_s = now() + kStepS - machine.link.join_s;
  }

  void move_bytes() {
    auto piece_size = static_cast<double>(options_.piece_size);
    for (auto& flow : flows_) {
      if (flow.piece < 0) continue;
      auto& to = machines_[flow.to];
      auto piece = static_cast<std::uint32_t>(flow.piece);
      double left = flow.rate * kStepS;
      to.peer_bytes += left;
      while (left > 0 && !to.have.has(PieceIndex(piece))) {
        double part = std::min(left, piece_size - to.partial[piece]);
        to.partial[piece] += part;
        left -= part;
        if (to.partial[piece] < piece_size - 1e-6) break;
        complete(to, piece);
        auto next = pick(to, machines_[flow.from]);
        flow.piece = next;
        if (next < 0) break;
        piece = static_cast<std::uint32_t>(next);
        ++to.peer_flows[piece];
      }
      to.peer_bytes -= std::max(left, 0.0);
    }
    for (auto& machine : machines_) {
      move_edge_bytes(machine);
      note_stall(machine);
    }
  }

  void note_stall(Machine& machine) {
    double bytes = machine.edge_bytes + machine.peer_bytes;
    bool moves = bytes > machine.last_bytes || machine.have.all() || !present(machine);
    if (moves) machine.last_bytes_s = now();
    machine.last_bytes = bytes;
    machine.longest_stall_s = std::max(machine.longest_stall_s, now() - machine.last_bytes_s);
  }

  void move_edge_bytes(Machine& machine) {
    std::size_t flows = std::min(machine.edge_queue.size(), kEdgeFlows);
    for (std::size_t k = 0; k < flows; ++k) {
      double left = machine.edge_rate * kStepS;
      while (left > 0 && k < machine.edge_queue.size()) {
        auto piece = machine.edge_queue[k];
        double part =
            std::min(left, static_cast<double>(options_.piece_size) - machine.edge_got[piece]);
        machine.edge_got[piece] += part;
        machine.edge_bytes += part;
        left -= part;
        if (machine.edge_got[piece] < static_cast<double>(options_.piece_size) - 1e-6) break;
        machine.edge_got.erase(piece);
        machine.edge_queue.erase(machine.edge_queue.begin() + static_cast<std::ptrdiff_t>(k));
        complete(machine, piece);
      }
    }
  }

  void schedule(std::size_t index) {
    auto& machine = machines_[index];
    if (!present(machine) || machine.have.all()) return;
    machine.scheduler->edge_received(static_cast<std::uint64_t>(machine.edge_bytes));
    if (machine.link.consent && (step_ + index) % 10 == 0) show_swarm(index);
    if (!edge_up()) fail_edge(machine);
    auto decision = machine.scheduler->decide(now_ms());
    machine.waited = machine.waited || decision.waiting_for_source;
    for (auto piece : decision.give_back) {
      auto& queue = machine.edge_queue;
      queue.erase(std::remove(queue.begin(), queue.end(), piece.value()), queue.end());
      machine.edge_got.erase(piece.value());
    }
    for (auto piece : decision.fetch) machine.edge_queue.push_back(piece.value());
  }

  void fail_edge(Machine& machine) {
    auto retry_at = now_ms() + static_cast<std::uint64_t>(kRetryS * 1000);
    for (auto piece : machine.edge_queue)
      machine.scheduler->edge_failed(PieceIndex(piece), retry_at);
    machine.edge_queue.clear();
    machine.edge_got.clear();
  }

  void show_swarm(std::size_t index) {
    auto& machine = machines_[index];
    transfer::SwarmView view;
    view.self_node = node_of(index);
    view.availability.assign(options_.pieces, 0);
    for (std::size_t other = 0; other < machines_.size(); ++other) {
      if (!connected(index, other)) continue;
      transfer::PeerView peer;
      peer.node = node_of(other);
      peer.seed = machines_[other].have.all();
      view.peers.push_back(peer);
      for (std::uint32_t piece = 0; piece < options_.pieces; ++piece)
        view.availability[piece] = static_cast<std::uint16_t>(
            view.availability[piece] + (machines_[other].have.has(PieceIndex(piece)) ? 1 : 0));
    }
    view.downloaded_bytes = static_cast<std::uint64_t>(machine.peer_bytes);
    view.download_bytes_per_s =
        static_cast<std::uint64_t>(machine.peer_bytes - machine.peer_bytes_view);
    machine.peer_bytes_view = machine.peer_bytes;
    machine.scheduler->swarm_view(view, now_ms());
  }

  SimResult result() const {
    SimResult result;
    for (const auto& machine : machines_) {
      result.clients.push_back({machine.finished_s, static_cast<std::uint64_t>(machine.edge_bytes),
                                static_cast<std::uint64_t>(machine.peer_bytes),
                                machine.longest_stall_s, machine.waited});
      result.copies += machine.edge_bytes / size();
      if (machine.link.seed || machine.link.leave_s < 1e9) continue;
      result.all_finished = result.all_finished && machine.finished_s >= 0;
      result.longest_stall_s = std::max(result.longest_stall_s, machine.longest_stall_s);
      result.slowest_s = std::max(result.slowest_s, machine.finished_s);
      result.slowest_ratio =
          std::max(result.slowest_ratio, machine.finished_s * machine.link.down / size());
    }
    return result;
  }

  SimOptions options_;
  std::mt19937_64 random_;
  std::vector<Machine> machines_;
  std::vector<PeerFlow> flows_;
  std::vector<std::uint32_t> counts_;  // machines that have each piece
  std::uint64_t step_ = 0;
};

}  // namespace

SimResult simulate(const SimOptions& options, const std::vector<SimClient>& clients) {
  return Simulation(options, clients).run();
}

}  // namespace shoal::test
