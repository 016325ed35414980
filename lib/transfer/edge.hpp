// The edge as the agent and the scheduler see it. Implemented by `edge` on curl; a fake in tests.
// All methods and all callbacks on the main thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "content/edge_index.hpp"
#include "transfer/image_store.hpp"
#include "transfer/swarm.hpp"

namespace shoal::transfer {

struct EdgeArtifact {
  std::shared_ptr<const content::EdgeIndex> index;
  std::shared_ptr<const std::vector<Digest>> piece_hashes;
  std::shared_ptr<ImageStore> store;  // where the parts that need no fetching are read
  std::vector<std::string> mirrors;   // base URLs, in order of preference
  // Whose mirrors they are. What one repository's hashes say of a mirror does not count for another
  // one: it could name the other's mirrors, and wrong hashes, to have them dropped.
  std::int64_t repository = 0;
};

// A mirror's health, for `status`.
struct MirrorStatus {
  std::int64_t repository = 0;
  std::string url;
  bool dropped = false;            // it served wrong bytes where another source had the right ones
  std::string last_error;          // empty when the last request went well
  std::uint64_t bytes = 0;         // received from it
  std::uint64_t wrong_pieces = 0;  // that it was blamed for
};

// What add() gives. Two may fetch one artifact at a time, each for itself: anybody can publish what
// somebody else did.
enum class EdgeHandle : std::uint64_t {};

class EdgeEvents {
 public:
  virtual ~EdgeEvents() = default;
  // Assembled, and its hash is right. wire_bytes: what crossed the network for it.
  virtual void edge_piece(const ArtifactId& artifact, PieceIndex piece, Bytes bytes,
                          std::uint64_t wire_bytes) = 0;
  // Given up on for now: every mirror failed. source_unavailable or network (retryable: ask again
  // after retry_after_ms), verification_failed (every mirror serves wrong bytes of it), …
  virtual void edge_failed(const ArtifactId& artifact, PieceIndex piece, const Error& error,
                           std::uint32_t retry_after_ms) = 0;
};

class Edge {
 public:
  virtual ~Edge() = default;
  virtual EdgeHandle add(const ArtifactId& artifact, EdgeArtifact description,
                         EdgeEvents& events) = 0;
  virtual void remove(EdgeHandle artifact) = 0;  // cancels what is in flight
  // Pieces in the order wanted, with the frames that are needed (bit i: frame i; all ones: the
  // whole piece; the rest is read from the store). Neighbours in a bundle are joined into one
  // request.
  struct Want {
    PieceIndex piece;
    std::uint64_t frames = ~0ULL;
  };
  virtual void fetch(EdgeHandle artifact, const std::vector<Want>& wants) = 0;
  virtual void cancel(EdgeHandle artifact, const std::vector<PieceIndex>& pieces) = 0;
  virtual void set_download_limit(std::uint64_t bytes_per_s) = 0;  // 0: none
  virtual std::vector<MirrorStatus> mirrors() const = 0;
  virtual std::uint64_t download_bytes_per_s(EdgeHandle artifact) const = 0;
  // All that came over the network for it since it was added.
  virtual std::uint64_t received_bytes(EdgeHandle artifact) const = 0;
};

}  // namespace shoal::transfer
