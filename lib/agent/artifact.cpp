// Events of swarm and edge go into the scheduler, its decisions go out to the edge. With consent,
// pieces from the edge pass through the swarm, which stores and offers them; without it they are
// written straight to the store.
#include "agent/artifact.hpp"

#include <fmt/core.h>

#include <utility>

namespace shoal::agent {
namespace {

constexpr std::chrono::milliseconds kDecideEvery{100};

}  // namespace

Artifact::Artifact(const Context& context, ArtifactSource source, transfer::PieceSet have,
                   transfer::BlockMap partial)
    : context_(context),
      source_(std::move(source)),
      have_(std::move(have)),
      partial_(std::move(partial)) {
  if (source_.image) staged_bytes_ = source_.image->written_bytes();
  if (!source_.map) return;
  for (std::uint32_t i = 0; i < have_.size(); ++i)
    if (!have_.has(PieceIndex{i})) counters_.total_bytes += missing_bytes(PieceIndex{i});
}

Artifact::~Artifact() = default;

std::uint64_t Artifact::now_ms() const {
  return static_cast<std::uint64_t>(context_.clock.steady().count());
}

std::uint64_t Artifact::missing_bytes(PieceIndex piece) const {
  std::uint64_t bytes = source_.map->payload_bytes(piece);
  auto known = partial_.find(piece);
  if (known == partial_.end()) return bytes;
  std::uint64_t first = std::uint64_t{piece.value()} * source_.map->blocks_per_piece();
  for (std::size_t i = 0; i < known->second.size(); ++i)
    if (known->second[i] && !source_.map->is_gap_block(first + i))
      bytes -= std::min<std::uint64_t>(bytes, content::kBlockSize);
  return bytes;
}

void Artifact::fetch(transfer::Consent consent, transfer::Policy policy, std::uint64_t node,
                     ArtifactListener listener) {
  mode_ = Mode::fetching;
  consent_ = consent;
  policy_ = policy;
  node_ = node;
  listener_ = std::move(listener);
  transfer::PieceSet wanted(have_.size());
  for (std::uint32_t i = 0; i < have_.size(); ++i)
    if (!have_.has(PieceIndex{i})) wanted.add(PieceIndex{i});
  transfer::SchedulerOptions options;
  options.policy = policy;
  options.swarm_enabled = consent != transfer::Consent::denied;
  options.piece_size = source_.map->piece_size();
  options.node = node;
  scheduler_.emplace(options, std::move(wanted));
  edge_ = context_.edge.add(
      source_.id,
      {source_.index, source_.piece_hashes, source_.image, source_.mirrors, source_.repository},
      *this);
  join_swarm();
  arm_tick();
  poke();
}

void Artifact::seed(transfer::Consent consent) {
  bool fetched = mode_ == Mode::fetching;
  if (fetched) {
    context_.timers.cancel(tick_);
    context_.edge.remove(edge_);
    scheduler_.reset();
    listener_ = {};
    // What only the fetching needed; a seed should cost little memory.
    source_.index.reset();
    source_.map.reset();
    source_.needed_next = {};
    partial_.clear();
    at_edge_.clear();
  }
  mode_ = Mode::seeding;
  yielding_ = false;
  consent_ = consent;
  if (consent_ == transfer::Consent::denied) leave_swarm();
  join_swarm();
}

void Artifact::stop() {
  if (mode_ == Mode::fetching) {
    context_.timers.cancel(tick_);
    context_.edge.remove(edge_);
    at_edge_.clear();
    // Another attempt may write the same files soon: what the disk still has queued must not.
    source_.image->drop_writes();
  }
  mode_ = Mode::stopped;
  listener_ = {};
  leave_swarm();
}

void Artifact::set_consent(transfer::Consent consent) {
  consent_ = consent;
  if (mode_ == Mode::stopped) return;
  if (consent == transfer::Consent::denied)
    leave_swarm();
  else
    join_swarm();
  if (scheduler_) {
    scheduler_->set_swarm_enabled(in_swarm_);
    poke();
  }
}

void Artifact::set_policy(transfer::Policy policy) {
  policy_ = policy;
  if (!scheduler_) return;
  scheduler_->set_policy(policy, 0);
  poke();
}

void Artifact::set_yielding(bool yielding) {
  if (mode_ != Mode::fetching || std::exchange(yielding_, yielding) == yielding) return;
  if (!yielding) {
    join_swarm();
    scheduler_->set_swarm_enabled(in_swarm_);
    return poke();
  }
  std::vector<PieceIndex> asked(at_edge_.begin(), at_edge_.end());
  context_.edge.cancel(edge_, asked);
  for (auto piece : asked) scheduler_->edge_failed(piece, now_ms());  // to be asked for again
  at_edge_.clear();
  waiting_ = false;
  leave_swarm();
}

void Artifact::join_swarm() {
  if (in_swarm_ || yielding_ || consent_ == transfer::Consent::denied) return;
  transfer::SwarmArtifact description;
  description.torrent = source_.torrent;
  description.store = source_.image;
  description.have = have_;
  description.partial = partial_;
  description.trackers = source_.trackers;
  description.dht_allowed = source_.dht_allowed;
  description.seed_only = mode_ == Mode::seeding;
  auto added = context_.swarm.add(source_.id, std::move(description), *this);
  if (!added) {
    // The edge alone can finish the job, so this is no reason to fail.
    context_.log.warning("agent", "cannot join the swarm: {}", added.error().describe());
    return;
  }
  in_swarm_ = true;
}

void Artifact::leave_swarm() {
  if (!in_swarm_) return;
  in_swarm_ = false;
  context_.swarm.remove(source_.id);
  earlier_.peer_bytes = counters_.peer_bytes;
  earlier_.lan_bytes = counters_.lan_bytes;
  earlier_.uploaded_bytes = counters_.uploaded_bytes;
  counters_.peer_bytes_per_s = 0;
  counters_.peers = 0;
}

void Artifact::pieces_lost(const std::vector<PieceIndex>& pieces) {
  // The swarm believes it has them: join anew with what is really there.
  leave_swarm();
  complete_reported_ = false;
  for (auto piece : pieces) {
    if (!have_.has(piece)) continue;
    have_.remove(piece);
    counters_.total_bytes += source_.map->payload_bytes(piece);
    scheduler_->piece_lost(piece);
  }
  join_swarm();
  arm_tick();
  poke();
}

ArtifactCounters Artifact::counters() const {
  auto counters = counters_;
  counters.written_bytes = source_.image ? source_.image->written_bytes() - staged_bytes_ : 0;
  counters.edge_bytes_per_s =
      mode_ == Mode::fetching ? context_.edge.download_bytes_per_s(edge_) : 0;
  return counters;
}

void Artifact::swarm_piece_done(const transfer::ArtifactId&, PieceIndex piece, bool) {
  piece_stored(piece);
}

void Artifact::swarm_piece_failed(const transfer::ArtifactId&, PieceIndex piece, bool from_peers) {
  context_.log.warning("agent", "piece {} from {} was wrong; it is fetched again", piece.value(),
                       from_peers ? "peers" : "the edge");
  if (from_peers || mode_ != Mode::fetching) return;
  at_edge_.erase(piece);
  scheduler_->edge_failed(piece, now_ms());
  poke();
}

void Artifact::swarm_view(const transfer::ArtifactId&, const transfer::SwarmView& view) {
  if (!in_swarm_) return;
  counters_.peer_bytes = earlier_.peer_bytes + view.downloaded_bytes;
  counters_.lan_bytes = earlier_.lan_bytes + view.downloaded_lan_bytes;
  counters_.uploaded_bytes = earlier_.uploaded_bytes + view.uploaded_bytes;
  counters_.peer_bytes_per_s = view.download_bytes_per_s;
  counters_.peers = static_cast<std::uint32_t>(view.peers.size());
  if (!scheduler_) return;
  scheduler_->swarm_view(view, now_ms());
  poke();
}

void Artifact::swarm_pieces_lost(const transfer::ArtifactId&, const std::vector<PieceIndex>& pieces,
                                 const Error& error) {
  if (mode_ == Mode::fetching) return fail(error);
  context_.log.warning("agent", "a seeded file changed: {}; {} pieces are no longer offered",
                       error.message, pieces.size());
  for (auto piece : pieces) have_.remove(piece);
}

void Artifact::swarm_store_failed(const transfer::ArtifactId&, const Error& error) {
  if (mode_ == Mode::fetching) return fail(error);
  leave_swarm();
}

void Artifact::edge_piece(const transfer::ArtifactId&, PieceIndex piece, Bytes bytes,
                          std::uint64_t wire_bytes) {
  counters_.edge_bytes += wire_bytes;
  if (mode_ != Mode::fetching || have_.has(piece)) return;
  if (in_swarm_) return context_.swarm.deliver(source_.id, piece, std::move(bytes));
  auto shared = std::make_shared<Bytes>(std::move(bytes));
  context_.workers.post([self = shared_from_this(), piece, shared] {
    auto offset = std::uint64_t{piece.value()} * shared->size();
    auto written = self->source_.image->write(offset, *shared);
    self->context_.main.post(
        [self, piece, written] { self->piece_stored_directly(piece, written); });
  });
}

void Artifact::piece_stored_directly(PieceIndex piece, const Result<void>& written) {
  if (mode_ != Mode::fetching) return;
  if (!written) return fail(written.error());
  bool swarm_lacks_it = in_swarm_ && !have_.has(piece);
  piece_stored(piece);
  // Joined meanwhile: the swarm was told of the pieces that were there then, not of this one.
  if (swarm_lacks_it) {
    leave_swarm();
    join_swarm();
  }
}

void Artifact::piece_stored(PieceIndex piece) {
  at_edge_.erase(piece);
  if (mode_ != Mode::fetching || have_.has(piece)) return;
  counters_.fetched_bytes += missing_bytes(piece);
  have_.add(piece);
  partial_.erase(piece);
  if (listener_.on_piece) listener_.on_piece(piece);
  scheduler_->piece_done(piece);
  poke();
}

void Artifact::edge_failed(const transfer::ArtifactId&, PieceIndex piece, const Error& error,
                           std::uint32_t retry_after_ms) {
  at_edge_.erase(piece);
  if (mode_ != Mode::fetching) return;
  last_edge_error_ = error;
  bool hopeless = error.kind == ErrorKind::verification_failed && counters_.peers == 0;
  if (hopeless) return fail(error);
  scheduler_->edge_failed(piece, now_ms() + retry_after_ms);
  poke();
}

void Artifact::poke() {
  if (poked_ || mode_ != Mode::fetching) return;
  poked_ = true;
  context_.main.post([self = shared_from_this()] {
    self->poked_ = false;
    self->decide();
  });
}

void Artifact::arm_tick() {
  if (tick_ != 0) context_.timers.cancel(tick_);
  tick_ = context_.timers.after(kDecideEvery, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self || self->mode_ != Mode::fetching) return;
    self->decide();
    if (self->mode_ == Mode::fetching && !self->have_.all()) self->arm_tick();
  });
}

void Artifact::decide() {
  if (mode_ != Mode::fetching) return;
  if (have_.all()) {
    if (!std::exchange(complete_reported_, true)) listener_.on_complete();
    return;
  }
  if (yielding_) return;
  scheduler_->edge_received(context_.edge.received_bytes(edge_));
  if (source_.needed_next) scheduler_->needed_next(source_.needed_next());
  auto decision = scheduler_->decide(now_ms());
  if (!decision.give_back.empty()) {
    context_.edge.cancel(edge_, decision.give_back);
    for (auto piece : decision.give_back) at_edge_.erase(piece);
  }
  std::vector<transfer::Edge::Want> wants;
  for (auto piece : decision.fetch)
    if (at_edge_.insert(piece).second) wants.push_back({piece, frames_needed(piece)});
  if (in_swarm_ && (!wants.empty() || !decision.give_back.empty()))
    context_.swarm.set_reserved(source_.id, {at_edge_.begin(), at_edge_.end()});
  if (!wants.empty()) context_.edge.fetch(edge_, wants);
  if (decision.waiting_for_source != waiting_) {
    waiting_ = decision.waiting_for_source;
    if (listener_.on_waiting)
      listener_.on_waiting(waiting_,
                           fmt::format("no mirror and no peer has the rest ({})",
                                       last_edge_error_ ? last_edge_error_->message : ""));
  }
}

std::uint64_t Artifact::frames_needed(PieceIndex piece) const {
  auto known = partial_.find(piece);
  if (known == partial_.end()) return ~0ULL;
  std::uint32_t blocks_per_frame = source_.index->frame_size / content::kBlockSize;
  std::uint64_t frames = 0;
  for (std::size_t block = 0; block < known->second.size(); ++block)
    if (!known->second[block]) frames |= 1ULL << (block / blocks_per_frame);
  return frames;
}

void Artifact::fail(const Error& error) {
  auto report = listener_.on_failed;
  stop();
  if (report) report(error);
}

}  // namespace shoal::agent
