// One piece on its way: which frames are needed, which have come and from whom, and how a piece is
// made of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "edge/frame_planner.hpp"
#include "edge/mirror_set.hpp"
#include "transfer/edge.hpp"

namespace shoal::edge {

// An artifact as all threads see it. Shared: a worker may still assemble a piece of it after its
// removal.
struct ArtifactShared {
  transfer::ArtifactId id;
  transfer::EdgeHandle handle{};
  transfer::EdgeArtifact description;
  std::atomic<std::uint64_t> rate_bytes_per_s{0};
  std::atomic<std::uint64_t> received_bytes{0};
};

// What a mirror gave for a frame when the piece was wrong: once it is right, that tells who lied.
struct Evidence {
  std::uint32_t frame = 0;
  MirrorId source = 0;
  // Of the plain bytes, which the piece's hash proves; there are other ways to compress the same.
  std::optional<Digest> plain;  // none: it did not decompress
};

// The order to fetch one piece. Changed by the curl thread only; a worker reads it while
// `assembling`.
struct PieceJob {
  JobId id = 0;
  std::shared_ptr<ArtifactShared> artifact;
  PieceIndex piece;
  std::uint64_t frames = 0;    // needed; the others are read from the store
  std::uint64_t pending = 0;   // needed, and in no request
  std::uint64_t received = 0;  // complete
  std::vector<std::uint32_t>
      frame_offsets;                 // of each frame in the piece's stored bytes, and the end
  std::vector<MirrorId> sources;     // by frame: who served it
  std::vector<MirrorId> tried;       // those that failed for this piece
  std::optional<MirrorId> pinned;    // ask only this one: the bytes of several did not fit together
  std::vector<MirrorId> shirkers;    // were, and did not bring all of it: not asked again
  std::vector<Evidence> evidence;    // of all times that it was wrong
  Bytes stored;                      // laid out as in the bundle; allocated when admitted
  std::uint64_t reserved_bytes = 0;  // of the budget; 0: not admitted yet
  std::uint64_t wire_bytes = 0;
  std::uint32_t overtakings = 0;  // requests taken from a slow mirror and given to another
  bool queued = false;
  bool assembling = false;
  bool cancelled = false;
  Error last_error;

  const content::PieceLocation& location() const {
    return artifact->description.index->pieces[piece.value()];
  }
  WantedFrame wanted_frame(std::uint32_t frame) const;
  std::uint32_t stored_frame_size(std::uint32_t frame) const {
    return frame_offsets[frame + 1] - frame_offsets[frame];
  }
  // Bytes of memory it takes once admitted: compressed and plain.
  std::uint64_t cost() const;
  bool complete() const { return received == frames; }
  bool uses_store() const;
};

std::uint64_t all_frames(std::uint32_t count);

// Errors: invalid_request (no such piece), metadata_invalid (the index does not describe a whole
// piece).
Result<std::shared_ptr<PieceJob>> make_job(JobId id, std::shared_ptr<ArtifactShared> artifact,
                                           const transfer::Edge::Want& want);

// The piece made of the job's frames and the store.
struct Assembly {
  enum class Verdict {
    right,
    wrong,         // the hash differs
    bad_frame,     // `frame` does not decompress
    store_failed,  // the parts not fetched could not be read
  };
  Verdict verdict = Verdict::wrong;
  std::uint32_t frame = 0;
  Bytes plain;
};
// Any thread; blocks on the store and on computing.
Assembly assemble(const PieceJob& job);
// Of a piece that is wrong. Nothing where the store failed.
std::vector<Evidence> evidence_of(const PieceJob& job, const Assembly& wrong);
// Those who gave something else than the right piece has, each once.
std::vector<MirrorId> liars(const PieceJob& job, ByteView right);

}  // namespace shoal::edge
