// Recipes: each file as a list of content-defined chunks (FastCDC, normalised chunking), so that an
// old version gives up every byte it still shares with a new one. Hints only: what is assembled
// from them counts once its piece hash is right. Format: docs/formats/recipes.md.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/strong.hpp"

namespace shoal::content {

inline constexpr std::uint32_t kChunkMin = 4 * 1024;
inline constexpr std::uint32_t kChunkAverage = 16 * 1024;
inline constexpr std::uint32_t kChunkMax = 64 * 1024;
inline constexpr std::uint64_t kMaxRecipesBytes = 256ULL << 20;  // decompressed

using ChunkId = std::array<std::uint8_t, 16>;  // the first half of the chunk's SHA-256

struct Chunk {
  ChunkId id{};
  std::uint32_t length = 0;
};

struct Recipes {
  std::vector<std::vector<Chunk>> files;  // by FileIndex; lengths add up to the file's size
};

ChunkId chunk_id(ByteView bytes);

// Cuts a stream of bytes into chunks, independent of how it is fed.
class Chunker {
 public:
  using Sink = std::function<void(const Chunk&)>;
  explicit Chunker(Sink sink);
  void update(ByteView bytes);
  void finish();  // emits the rest, and starts anew

 private:
  // How many of the bytes belong to the current chunk; `found` if it ends with them.
  std::size_t advance(ByteView bytes, bool& found);

  Sink sink_;
  Sha256 hasher_;              // over the current chunk so far, once it spans two feeds
  std::uint32_t length_ = 0;   // of that
  std::uint64_t rolling_ = 0;  // the gear hash
};

Bytes format_recipes(const Recipes& recipes);  // compressed
// Errors: metadata_invalid, too_large.
Result<Recipes> parse_recipes(ByteView bytes);

}  // namespace shoal::content
