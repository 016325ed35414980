// One artifact at work: fetched from edge and swarm together while a change runs, seeded
// afterwards. It is the listener of both sides and carries the scheduler's decisions out.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/context.hpp"
#include "install/tree_image.hpp"
#include "transfer/scheduler.hpp"

namespace shoal::agent {

struct ArtifactSource {
  transfer::ArtifactId id;
  Bytes torrent;
  std::shared_ptr<const std::vector<Digest>> piece_hashes;
  std::shared_ptr<const content::EdgeIndex> index;  // null for an artifact that is only seeded
  std::shared_ptr<install::TreeImage> image;
  std::shared_ptr<const content::ImageMap> map;  // null for an artifact that is only seeded
  std::vector<std::string> mirrors;
  std::int64_t repository = 0;  // whose mirrors they are
  std::vector<std::string> trackers;
  bool dht_allowed = false;
  // For one that is read in order while it is fetched: the piece that is needed next. Else empty.
  std::function<PieceIndex()> needed_next;
};

struct ArtifactCounters {
  std::uint64_t total_bytes = 0;    // plain bytes that had to be fetched
  std::uint64_t fetched_bytes = 0;  // of those, there now
  std::uint64_t written_bytes = 0;  // to the disk
  std::uint64_t edge_bytes = 0;     // from the edge, as sent
  std::uint64_t peer_bytes = 0;
  std::uint64_t lan_bytes = 0;
  std::uint64_t uploaded_bytes = 0;
  std::uint64_t edge_bytes_per_s = 0;
  std::uint64_t peer_bytes_per_s = 0;
  std::uint32_t peers = 0;
};

struct ArtifactListener {
  std::function<void(PieceIndex)> on_piece;           // it is in the store, and its hash is right
  std::function<void()> on_complete;                  // every piece is in the store
  std::function<void(Error)> on_failed;               // cannot go on: disk full, …
  std::function<void(bool, std::string)> on_waiting;  // for a source; with the reason
};

// Main thread only. Shared: callbacks posted to other threads hold it until they ran.
class Artifact final : public transfer::SwarmEvents,
                       public transfer::EdgeEvents,
                       public std::enable_shared_from_this<Artifact> {
 public:
  Artifact(const Context& context, ArtifactSource source, transfer::PieceSet have,
           transfer::BlockMap partial);
  ~Artifact() override;

  // Fetches what is missing. The listener is called until stop() or seed().
  void fetch(transfer::Consent consent, transfer::Policy policy, std::uint64_t node,
             ArtifactListener listener);
  // Offers what is there, asks for nothing. Callable first, or after fetch() is complete.
  void seed(transfer::Consent consent);
  void stop();  // leaves swarm and edge
  void set_consent(transfer::Consent consent);
  void set_policy(transfer::Policy policy);
  // While it yields it takes nothing, neither from the edge nor from peers, and gives nothing.
  void set_yielding(bool yielding);
  // These turned out wrong in the store: fetched again.
  void pieces_lost(const std::vector<PieceIndex>& pieces);

  const transfer::ArtifactId& id() const { return source_.id; }
  install::TreeImage& image() { return *source_.image; }
  const std::shared_ptr<install::TreeImage>& shared_image() const { return source_.image; }
  bool complete() const { return have_.all(); }
  bool fetching() const { return mode_ == Mode::fetching; }
  ArtifactCounters counters() const;
  const std::optional<Error>& last_edge_error() const { return last_edge_error_; }

  void swarm_piece_done(const transfer::ArtifactId&, PieceIndex piece, bool from_peers) override;
  void swarm_piece_failed(const transfer::ArtifactId&, PieceIndex piece, bool from_peers) override;
  void swarm_view(const transfer::ArtifactId&, const transfer::SwarmView& view) override;
  void swarm_pieces_lost(const transfer::ArtifactId&, const std::vector<PieceIndex>& pieces,
                         const Error& error) override;
  void swarm_store_failed(const transfer::ArtifactId&, const Error& error) override;
  void edge_piece(const transfer::ArtifactId&, PieceIndex piece, Bytes bytes,
                  std::uint64_t wire_bytes) override;
  void edge_failed(const transfer::ArtifactId&, PieceIndex piece, const Error& error,
                   std::uint32_t retry_after_ms) override;

 private:
  enum class Mode { stopped, fetching, seeding };

  void join_swarm();
  void leave_swarm();
  void piece_stored(PieceIndex piece);
  void piece_stored_directly(PieceIndex piece, const Result<void>& written);
  void poke();  // decide soon
  void decide();
  void arm_tick();
  void fail(const Error& error);
  std::uint64_t frames_needed(PieceIndex piece) const;
  std::uint64_t now_ms() const;
  std::uint64_t missing_bytes(PieceIndex piece) const;

  const Context& context_;
  ArtifactSource source_;
  Mode mode_ = Mode::stopped;
  transfer::Consent consent_ = transfer::Consent::denied;
  bool in_swarm_ = false;
  bool poked_ = false;
  bool complete_reported_ = false;
  bool waiting_ = false;
  bool yielding_ = false;
  transfer::PieceSet have_;
  transfer::BlockMap partial_;
  transfer::EdgeHandle edge_{};   // while it fetches
  std::set<PieceIndex> at_edge_;  // asked of the edge and not yet stored
  std::optional<transfer::Scheduler> scheduler_;
  std::uint64_t node_ = 0;
  transfer::Policy policy_ = transfer::Policy::fastest;
  ArtifactListener listener_;
  Timers::Id tick_ = 0;
  ArtifactCounters counters_;
  // The swarm counts from each time we join; these are the sums of earlier times.
  ArtifactCounters earlier_;
  std::uint64_t staged_bytes_ = 0;  // what staging had written into the image before
  std::optional<Error> last_edge_error_;
};

}  // namespace shoal::agent
