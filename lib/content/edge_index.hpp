// The edge index: where each piece lies in the bundles. A piece is stored as one or more frames of
// `frame_size` plain bytes each, every frame a zstd frame of its own or stored plain, one after the
// other in one bundle; so that a client that already has part of a piece fetches only the frames it
// lacks. Format: docs/formats/edge-index.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strong.hpp"

namespace shoal::content {

inline constexpr std::uint64_t kMaxBundleBytes = 32ULL << 20;
inline constexpr std::uint32_t kDefaultFrameSize = 256 * 1024;
inline constexpr std::uint64_t kMaxEdgeIndexBytes = 64ULL << 20;
inline constexpr std::uint32_t kMaxFramesPerPiece = 64;  // a 64-bit mask names any subset

struct Frame {
  std::uint32_t stored_size = 0;  // bytes in the bundle
  bool compressed = false;        // zstd; otherwise plain, stored_size == plain size
};

struct PieceLocation {
  std::uint32_t bundle = 0;  // into EdgeIndex::bundles
  std::uint64_t offset = 0;  // of the first frame in the bundle
  std::vector<Frame> frames;

  std::uint64_t stored_bytes() const;
};

struct EdgeIndex {
  std::uint32_t piece_size = 0;
  std::uint32_t frame_size = 0;  // power of two, block size … piece_size
  std::vector<Digest> bundles;   // names; at "bundles/<first two hex digits>/<hex>" on a mirror
  std::vector<std::uint64_t> bundle_sizes;
  std::vector<PieceLocation> pieces;  // by PieceIndex

  std::uint32_t frames_per_piece() const { return piece_size / frame_size; }
};

std::string bundle_path(const Digest& bundle);

Bytes format_edge_index(const EdgeIndex& index);
// Validates every offset and size against its bundle. Errors: metadata_invalid, too_large.
Result<EdgeIndex> parse_edge_index(ByteView bytes);

// The highest level that leaves publishing well above 60 MB/s on two cores: on program trees level
// 6 takes 40 % longer for 1.6 % less, level 3 a fifth less for 4 % more.
inline constexpr int kDefaultZstdLevel = 5;

// Compresses one frame at a zstd level (0: kDefaultZstdLevel); returns what to store (plain when
// compression does not make it smaller).
struct StoredFrame {
  Frame frame;
  Bytes bytes;
};
StoredFrame compress_frame(ByteView plain, int zstd_level);
// Decompresses into `out`, whose size is the frame's plain size. Never writes beyond it, whatever
// the bytes are. Errors: verification_failed.
Result<void> decompress_frame(const Frame& frame, ByteView stored, MutableByteView out);

}  // namespace shoal::content
