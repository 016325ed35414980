// FastCDC (Xia and others, USENIX ATC 2016) with normalised chunking, as a streaming state: the
// rolling gear hash and the chunk's SHA-256 go along with the bytes, so nothing is buffered and the
// cuts cannot depend on how the bytes are fed.
#include "content/recipe.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "content/byte_codec.hpp"

namespace shoal::content {
namespace {

constexpr std::string_view kMagic = "SHOALRCP";
constexpr std::uint8_t kVersion = 1;
constexpr std::uint64_t kMaxFiles = 8ULL << 20;  // beyond what kMaxReleaseJsonBytes can list

// The gear table: 256 outputs of SplitMix64 from the seed 0 (docs/formats/recipes.md).
constexpr std::array<std::uint64_t, 256> make_gear() {
  std::array<std::uint64_t, 256> gear{};
  std::uint64_t state = 0;
  for (auto& entry : gear) {
    state += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    entry = z ^ (z >> 31);
  }
  return gear;
}
constexpr auto kGear = make_gear();

// Normalised chunking, level 2: before the average length a cut needs 16 zero bits (14 + 2), after
// it 12 (14 - 2). The top bits are used: each depends on the last 64 bytes.
constexpr std::uint64_t kMaskBefore = 0xffffULL << 48;
constexpr std::uint64_t kMaskAfter = 0xfffULL << 52;

// Continues the hash over bytes[from, to) and returns where it cut (one past the byte), or `to`.
std::size_t scan(ByteView bytes, std::size_t from, std::size_t to, std::uint64_t mask,
                 std::uint64_t& hash, bool& found) {
  std::uint64_t rolling = hash;
  const std::uint8_t* data = bytes.data();
  for (std::size_t i = from; i < to; ++i) {
    rolling = (rolling << 1) + kGear[data[i]];
    if ((rolling & mask) == 0) {
      found = true;
      return i + 1;
    }
  }
  hash = rolling;
  return to;
}

ChunkId id_of(const Digest& digest) {
  ChunkId id;
  std::copy_n(digest.bytes.begin(), id.size(), id.begin());
  return id;
}

}  // namespace

ChunkId chunk_id(ByteView bytes) { return id_of(sha256(bytes)); }

Chunker::Chunker(Sink sink) : sink_(std::move(sink)) {}

std::size_t Chunker::advance(ByteView bytes, bool& found) {
  std::size_t at = 0;
  // Where in `bytes` the chunk reaches that length.
  auto until = [&](std::uint32_t length) {
    return std::min<std::size_t>(bytes.size(), length - length_);
  };
  // Not hashed at all: no cut may fall here.
  if (length_ < kChunkMin) at = until(kChunkMin);
  if (length_ + at >= kChunkMin && length_ + at < kChunkAverage)
    at = scan(bytes, at, until(kChunkAverage), kMaskBefore, rolling_, found);
  if (!found && length_ + at >= kChunkAverage)
    at = scan(bytes, at, until(kChunkMax), kMaskAfter, rolling_, found);
  if (length_ + at == kChunkMax) found = true;
  return at;
}

void Chunker::update(ByteView bytes) {
  while (!bytes.empty()) {
    bool found = false;
    std::size_t taken = advance(bytes, found);
    if (found && length_ == 0) {  // the usual case: a whole chunk, hashed in one go
      sink_({chunk_id(bytes.first(taken)), static_cast<std::uint32_t>(taken)});
      rolling_ = 0;
    } else {
      hasher_.update(bytes.first(taken));
      length_ += static_cast<std::uint32_t>(taken);
      if (found) finish();
    }
    bytes = bytes.subspan(taken);
  }
}

void Chunker::finish() {
  if (length_ > 0) sink_({id_of(hasher_.finish()), length_});
  length_ = 0;
  rolling_ = 0;
}

Bytes format_recipes(const Recipes& recipes) {
  ByteWriter body;
  body.varint(recipes.files.size());
  for (const auto& chunks : recipes.files) {
    body.varint(chunks.size());
    for (const Chunk& chunk : chunks) body.varint(chunk.length);
  }
  for (const auto& chunks : recipes.files)
    for (const Chunk& chunk : chunks) body.raw(chunk.id);
  return seal_envelope(kMagic, kVersion, body.take());
}

Result<Recipes> parse_recipes(ByteView bytes) {
  constexpr std::string_view kWhat = "recipes";
  SHOAL_ASSIGN(auto body, open_envelope(bytes, kMagic, kVersion, kMaxRecipesBytes, kWhat));
  ByteReader in(body, kWhat);
  SHOAL_ASSIGN(auto files, in.varint());
  if (files > kMaxFiles)
    return fail(ErrorKind::too_large, fmt::format("recipes: {} files are too many", files));
  if (files > in.remaining()) return in.bad("it ends too early");
  Recipes recipes;
  recipes.files.resize(files);
  std::uint64_t total = 0;
  for (auto& chunks : recipes.files) {
    SHOAL_ASSIGN(auto count, in.varint());
    // Every chunk so far still has its id to come; each of these also a length.
    if (count > in.remaining() || (total + count) * sizeof(ChunkId) + count > in.remaining())
      return in.bad("it ends too early");
    total += count;
    chunks.resize(count);
    for (Chunk& chunk : chunks) {
      SHOAL_ASSIGN(auto length, in.varint());
      if (length == 0 || length > kChunkMax) return in.bad("a chunk has an impossible length");
      chunk.length = static_cast<std::uint32_t>(length);
    }
  }
  for (auto& chunks : recipes.files) {
    for (Chunk& chunk : chunks) {
      SHOAL_ASSIGN(auto id, in.raw(sizeof(ChunkId)));
      std::copy(id.begin(), id.end(), chunk.id.begin());
    }
  }
  SHOAL_TRY(in.expect_end());
  return recipes;
}

}  // namespace shoal::content
