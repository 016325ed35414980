// The swarm as the agent and the scheduler see it. Implemented by `swarm` on libtorrent; a fake in
// tests. All methods and all callbacks on the main thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/sha256.hpp"
#include "transfer/image_store.hpp"
#include "transfer/pieces.hpp"

namespace shoal::transfer {

using ArtifactId = Digest;  // the v2 info-hash

enum class Consent {
  denied,   // no peer traffic at all, incoming or outgoing, nor tracker or LAN announcements
  lan,      // only with peers on private, link-local and loopback addresses; LAN discovery only
  granted,  // the whole swarm
};

// 0: no limit. Bytes per second, payload and protocol together.
struct RateLimits {
  std::uint64_t upload_bytes_per_s = 0;
  std::uint64_t download_bytes_per_s = 0;
};

struct SwarmArtifact {
  Bytes torrent;                      // the signed .torrent
  std::shared_ptr<ImageStore> store;  // shared: libtorrent's disk threads may outlive the removal
  PieceSet have;
  BlockMap partial;
  std::vector<std::string> trackers;
  bool dht_allowed = false;
  bool seed_only = false;  // an installed tree: never ask for what is missing, never write
};

// A connected peer, as the scheduler weighs it.
struct PeerView {
  std::uint64_t node = 0;  // Shoal's node id from the extension handshake; 0 for other clients
  bool local = false;      // private, link-local or loopback address
  bool seed = false;
  std::uint64_t download_bytes_per_s = 0;  // from it to us
  std::uint64_t upload_bytes_per_s = 0;
};

// Once a second for each artifact.
struct SwarmView {
  std::vector<std::uint16_t> availability;  // by piece: connected peers that have it
  std::vector<PeerView> peers;
  std::uint64_t self_node = 0;
  std::uint64_t download_bytes_per_s = 0;  // payload, peers only
  std::uint64_t upload_bytes_per_s = 0;
  // Since the artifact was added.
  std::uint64_t downloaded_bytes = 0;      // payload from all peers
  std::uint64_t downloaded_lan_bytes = 0;  // the part of it from local peers
  std::uint64_t uploaded_bytes = 0;
};

class SwarmEvents {
 public:
  virtual ~SwarmEvents() = default;
  // The piece is in the store and its hash was checked; `from_peers` false when we delivered it.
  virtual void swarm_piece_done(const ArtifactId& artifact, PieceIndex piece, bool from_peers) = 0;
  // `from_peers` false: what we delivered was wrong.
  virtual void swarm_piece_failed(const ArtifactId& artifact, PieceIndex piece,
                                  bool from_peers) = 0;
  virtual void swarm_view(const ArtifactId& artifact, const SwarmView& view) = 0;
  // These pieces were had and can no longer be read: a file beneath them changed. Peers are told
  // that they are gone; the rest of the artifact stays in the swarm, with its peers.
  virtual void swarm_pieces_lost(const ArtifactId& artifact, const std::vector<PieceIndex>& pieces,
                                 const Error& error) = 0;
  // The store failed while pieces were written or checked; the artifact takes no further part until
  // it is added anew.
  virtual void swarm_store_failed(const ArtifactId& artifact, const Error& error) = 0;
};

class Swarm {
 public:
  virtual ~Swarm() = default;
  // Errors: metadata_invalid, conflict (already there). Reports to `events` until removed.
  virtual Result<void> add(const ArtifactId& artifact, SwarmArtifact description,
                           SwarmEvents& events) = 0;
  // Takes part no more. The store is let go once no disk job uses it.
  virtual void remove(const ArtifactId& artifact) = 0;
  // A piece from the edge, already checked against its hash. At most a few in flight at a time:
  // swarm_piece_done tells when one is stored. Ignored if the piece is there or gone.
  virtual void deliver(const ArtifactId& artifact, PieceIndex piece, Bytes bytes) = 0;
  // The pieces the edge is fetching: peers are asked for these last.
  virtual void set_reserved(const ArtifactId& artifact, const std::vector<PieceIndex>& pieces) = 0;
  virtual void set_consent(Consent consent) = 0;
  virtual void set_limits(const RateLimits& limits) = 0;
};

}  // namespace shoal::transfer
