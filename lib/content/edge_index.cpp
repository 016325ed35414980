// The index as columns of small differences: bundles, then for each piece how its place differs
// from "right after the piece before", then frame sizes. Parsing bounds every count by the bytes
// that are left before allocating for it, and every frame by its bundle.
#include "content/edge_index.hpp"

#include <fmt/core.h>

#include <bit>
#include <cassert>

#include "content/byte_codec.hpp"
#include "content/manifest.hpp"
#include "content/zstd_frame.hpp"

namespace shoal::content {
namespace {

constexpr std::string_view kMagic = "SHOALIDX";
constexpr std::uint8_t kVersion = 1;
constexpr std::uint64_t kMaxFrames = 8ULL << 20;  // 2 TiB of default frames, 64 MiB of memory

// Where the next piece begins when it simply follows the one before.
struct Expected {
  std::uint32_t bundle = 0;
  std::uint64_t offset = 0;
};

void write_piece(ByteWriter& out, const PieceLocation& piece, Expected& expected) {
  out.signed_varint(std::int64_t{piece.bundle} - std::int64_t{expected.bundle});
  std::uint64_t base = piece.bundle == expected.bundle ? expected.offset : 0;
  out.signed_varint(static_cast<std::int64_t>(piece.offset) - static_cast<std::int64_t>(base));
  for (const Frame& frame : piece.frames)
    out.varint(std::uint64_t{frame.stored_size} << 1 | (frame.compressed ? 1 : 0));
  expected = {piece.bundle, piece.offset + piece.stored_bytes()};
}

Result<Frame> read_frame(ByteReader& in, std::uint32_t frame_size) {
  SHOAL_ASSIGN(auto code, in.varint());
  std::uint64_t size = code >> 1;
  bool compressed = (code & 1) != 0;
  bool fits = compressed ? size > 0 && size < frame_size : size == frame_size;
  if (!fits) return in.bad("a frame has an impossible size");
  return Frame{static_cast<std::uint32_t>(size), compressed};
}

Result<PieceLocation> read_piece(ByteReader& in, const EdgeIndex& index, Expected& expected) {
  SHOAL_ASSIGN(auto bundle_step, in.signed_varint());
  SHOAL_ASSIGN(auto offset_step, in.signed_varint());
  auto bundle_count = static_cast<std::int64_t>(index.bundles.size());
  if (bundle_step < -bundle_count || bundle_step > bundle_count)
    return in.bad("a piece is in no bundle");
  std::int64_t bundle = std::int64_t{expected.bundle} + bundle_step;
  if (bundle < 0 || bundle >= bundle_count) return in.bad("a piece is in no bundle");
  PieceLocation piece;
  piece.bundle = static_cast<std::uint32_t>(bundle);
  constexpr auto kLimit = static_cast<std::int64_t>(kMaxBundleBytes);
  if (offset_step < -kLimit || offset_step > kLimit) return in.bad("a piece leaves its bundle");
  std::uint64_t base = piece.bundle == expected.bundle ? expected.offset : 0;
  std::int64_t offset = static_cast<std::int64_t>(base) + offset_step;
  if (offset < 0) return in.bad("a piece leaves its bundle");
  piece.offset = static_cast<std::uint64_t>(offset);
  piece.frames.reserve(index.frames_per_piece());
  for (std::uint32_t i = 0; i < index.frames_per_piece(); ++i) {
    SHOAL_ASSIGN(auto frame, read_frame(in, index.frame_size));
    piece.frames.push_back(frame);
  }
  std::uint64_t end = piece.offset + piece.stored_bytes();
  if (end > index.bundle_sizes[piece.bundle]) return in.bad("a piece leaves its bundle");
  expected = {piece.bundle, end};
  return piece;
}

Result<void> read_bundles(ByteReader& in, EdgeIndex& index) {
  SHOAL_ASSIGN(auto count, in.varint());
  if (count > in.remaining() / sizeof(Digest)) return in.bad("it ends too early");
  for (std::uint64_t i = 0; i < count; ++i) {
    SHOAL_ASSIGN(auto name, in.raw(sizeof(Digest)));
    SHOAL_ASSIGN(auto size, in.varint());
    if (size == 0 || size > kMaxBundleBytes) return in.bad("a bundle has an impossible size");
    index.bundles.push_back(*Digest::from_bytes(name));
    index.bundle_sizes.push_back(size);
  }
  return {};
}

}  // namespace

std::uint64_t PieceLocation::stored_bytes() const {
  std::uint64_t sum = 0;
  for (const Frame& frame : frames) sum += frame.stored_size;
  return sum;
}

std::string bundle_path(const Digest& bundle) {
  std::string hex = bundle.hex();
  return fmt::format("bundles/{}/{}", std::string_view(hex).substr(0, 2), hex);
}

Bytes format_edge_index(const EdgeIndex& index) {
  ByteWriter body;
  body.u32(index.piece_size);
  body.u32(index.frame_size);
  body.varint(index.bundles.size());
  for (std::size_t i = 0; i < index.bundles.size(); ++i) {
    body.raw(index.bundles[i].bytes);
    body.varint(index.bundle_sizes[i]);
  }
  body.varint(index.pieces.size());
  Expected expected;
  for (const PieceLocation& piece : index.pieces) {
    assert(piece.frames.size() == index.frames_per_piece());
    write_piece(body, piece, expected);
  }
  return seal_envelope(kMagic, kVersion, body.take());
}

Result<EdgeIndex> parse_edge_index(ByteView bytes) {
  constexpr std::string_view kWhat = "edge index";
  SHOAL_ASSIGN(auto body, open_envelope(bytes, kMagic, kVersion, kMaxEdgeIndexBytes, kWhat));
  ByteReader in(body, kWhat);
  EdgeIndex index;
  SHOAL_ASSIGN(index.piece_size, in.u32());
  SHOAL_ASSIGN(index.frame_size, in.u32());
  if (!std::has_single_bit(index.piece_size) || index.piece_size < kMinPieceSize ||
      index.piece_size > kMaxPieceSize)
    return in.bad("the piece size is not a power of two from 16 KiB to 16 MiB");
  if (!std::has_single_bit(index.frame_size) || index.frame_size < kBlockSize ||
      index.frame_size > index.piece_size || index.frames_per_piece() > kMaxFramesPerPiece)
    return in.bad("the frame size does not suit the piece size");
  SHOAL_TRY(read_bundles(in, index));
  SHOAL_ASSIGN(auto count, in.varint());
  if (count > kMaxPieces || count * index.frames_per_piece() > kMaxFrames)
    return fail(ErrorKind::too_large, fmt::format("edge index: {} pieces are too many", count));
  // Each piece takes at least two bytes for its place and one for each frame.
  if (count > in.remaining() / (2 + index.frames_per_piece())) return in.bad("it ends too early");
  index.pieces.reserve(count);
  Expected expected;
  for (std::uint64_t i = 0; i < count; ++i) {
    SHOAL_ASSIGN(auto piece, read_piece(in, index, expected));
    index.pieces.push_back(std::move(piece));
  }
  SHOAL_TRY(in.expect_end());
  return index;
}

StoredFrame compress_frame(ByteView plain, int zstd_level) {
  int level = zstd_level == 0 ? kDefaultZstdLevel : zstd_level;
  StoredFrame stored;
  stored.bytes = zstd_pack(plain, level);
  stored.frame.compressed = !stored.bytes.empty();
  if (!stored.frame.compressed) stored.bytes.assign(plain.begin(), plain.end());
  stored.frame.stored_size = static_cast<std::uint32_t>(stored.bytes.size());
  return stored;
}

Result<void> decompress_frame(const Frame& frame, ByteView stored, MutableByteView out) {
  auto wrong = [](std::string_view why) {
    return fail(ErrorKind::verification_failed, fmt::format("edge frame: {}", why));
  };
  if (stored.size() != frame.stored_size) return wrong("it has not the size the index states");
  if (frame.compressed) {
    if (!zstd_unpack(stored, out)) return wrong("it does not decompress to its size");
    return {};
  }
  if (stored.size() != out.size()) return wrong("it has not the size of a frame");
  std::copy(stored.begin(), stored.end(), out.begin());
  return {};
}

}  // namespace shoal::content
