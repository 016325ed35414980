// A PNG file's compressed image: a row of IDAT chunks, which together hold one zlib stream (W3C
// PNG, 10.1 and 11.2.4). Seen from either side, the row is only how the stream stands in its file.
// Private to the codec.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "delta/byte_source.hpp"

namespace shoal::delta {

inline constexpr std::uint64_t kZlibHeaderBytes = 2;   // before the deflate stream (RFC 1950)
inline constexpr std::uint64_t kZlibTrailerBytes = 4;  // behind it: adler32
inline constexpr std::uint64_t kPngChunkExtra = 12;    // beside a chunk's data: size, type, sum

// The zlib stream in a row of an old file. The chunks' sums are not looked at.
class PngRow final : public ByteSource {
 public:
  static constexpr std::size_t kMaxChunks = 1 << 16;  // 1 MiB of memory

  // The row that begins there, as far as it goes, up to `most` bytes of the file and kMaxChunks;
  // empty: none does.
  // Errors: the source's. `file` outlives the row.
  static Result<std::optional<PngRow>> find(const ByteSource& file, std::uint64_t offset,
                                            std::uint64_t most);

  std::uint64_t size() const override { return size_; }
  Result<void> read(std::uint64_t offset, MutableByteView out) const override;

  std::uint64_t row_bytes() const { return size_ + chunks_.size() * kPngChunkExtra; }
  // The size of all chunks but the last, which has no more; 0: their sizes differ otherwise.
  std::uint32_t chunk_bytes() const;

 private:
  struct Chunk {
    std::uint64_t begin;   // in the stream
    std::uint64_t offset;  // in the file
  };
  explicit PngRow(const ByteSource& file) : file_(&file) {}

  const ByteSource* file_;
  std::vector<Chunk> chunks_;
  std::uint64_t size_ = 0;
};

// Makes a row of a stream as it comes.
class PngRowWriter {
 public:
  // Whether a row of so many bytes can have chunks of this size, and a zlib stream in them.
  static bool is_valid(std::uint32_t chunk_bytes, std::uint64_t row_bytes);

  // Only if that is so.
  PngRowWriter(std::uint32_t chunk_bytes, std::uint64_t row_bytes);
  // Appends what they make to `out`. False: they are more than the row holds.
  bool add(ByteView data, Bytes& out);
  bool is_whole() const { return left_ == 0; }

 private:
  const std::uint32_t chunk_bytes_;
  std::uint64_t left_;          // bytes of the stream to come
  std::uint32_t in_chunk_ = 0;  // bytes to come of the chunk begun
  std::uint32_t sum_ = 0;
};

}  // namespace shoal::delta
