// Lengths and sums are big-endian; a sum is CRC-32 over type and data.
#include "delta/png_chunks.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>

namespace shoal::delta {
namespace {

constexpr std::array<std::uint8_t, 4> kType = {'I', 'D', 'A', 'T'};
constexpr std::uint64_t kHeadBytes = 4 + kType.size();

std::uint32_t load_big(const std::uint8_t* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | bytes[i];
  return value;
}

void append_big(Bytes& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

std::uint64_t chunk_count(std::uint32_t chunk_bytes, std::uint64_t row_bytes) {
  const std::uint64_t whole = chunk_bytes + kPngChunkExtra;
  return row_bytes / whole + (row_bytes % whole == 0 ? 0 : 1);
}

}  // namespace

Result<std::optional<PngRow>> PngRow::find(const ByteSource& file, std::uint64_t offset,
                                           std::uint64_t most) {
  PngRow row(file);
  const std::uint64_t end = offset + std::min(most, file.size() - offset);
  while (end - offset > kPngChunkExtra && row.chunks_.size() < kMaxChunks) {
    std::array<std::uint8_t, kHeadBytes> head;
    SHOAL_TRY(file.read(offset, head));
    const std::uint64_t size = load_big(head.data());
    if (!std::equal(kType.begin(), kType.end(), head.begin() + 4) || size == 0 ||
        size > end - offset - kPngChunkExtra) {
      break;
    }
    row.chunks_.push_back({row.size_, offset + kHeadBytes});
    row.size_ += size;
    offset += size + kPngChunkExtra;
  }
  if (row.chunks_.empty()) return std::nullopt;
  return row;
}

Result<void> PngRow::read(std::uint64_t offset, MutableByteView out) const {
  if (out.empty()) return {};
  auto chunk = std::ranges::upper_bound(chunks_, offset, {}, &Chunk::begin) - 1;
  while (!out.empty()) {
    const std::uint64_t into = offset - chunk->begin;
    const std::uint64_t end = chunk + 1 == chunks_.end() ? size_ : (chunk + 1)->begin;
    const auto part = out.first(std::min<std::uint64_t>(out.size(), end - offset));
    SHOAL_TRY(file_->read(chunk->offset + into, part));
    out = out.subspan(part.size());
    offset += part.size();
    ++chunk;
  }
  return {};
}

std::uint32_t PngRow::chunk_bytes() const {
  if (chunks_.size() < 2) return static_cast<std::uint32_t>(size_);
  const std::uint64_t size = chunks_[1].begin;
  for (std::size_t i = 1; i < chunks_.size(); ++i) {
    if (chunks_[i].begin != i * size) return 0;
  }
  return size_ - chunks_.back().begin <= size ? static_cast<std::uint32_t>(size) : 0;
}

bool PngRowWriter::is_valid(std::uint32_t chunk_bytes, std::uint64_t row_bytes) {
  constexpr std::uint64_t kLeast = kZlibHeaderBytes + 1 + kZlibTrailerBytes;
  if (chunk_bytes == 0 || chunk_bytes > INT32_MAX) return false;
  const std::uint64_t extra = chunk_count(chunk_bytes, row_bytes) * kPngChunkExtra;
  if (row_bytes < extra + kLeast) return false;
  return chunk_count(chunk_bytes, row_bytes) == (row_bytes - extra + chunk_bytes - 1) / chunk_bytes;
}

PngRowWriter::PngRowWriter(std::uint32_t chunk_bytes, std::uint64_t row_bytes)
    : chunk_bytes_(chunk_bytes),
      left_(row_bytes - chunk_count(chunk_bytes, row_bytes) * kPngChunkExtra) {}

bool PngRowWriter::add(ByteView data, Bytes& out) {
  if (data.size() > left_) return false;
  while (!data.empty()) {
    if (in_chunk_ == 0) {
      in_chunk_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(left_, chunk_bytes_));
      append_big(out, in_chunk_);
      out.insert(out.end(), kType.begin(), kType.end());
      sum_ = static_cast<std::uint32_t>(::crc32(0, kType.data(), kType.size()));
    }
    const ByteView now = data.first(std::min<std::size_t>(data.size(), in_chunk_));
    out.insert(out.end(), now.begin(), now.end());
    sum_ = static_cast<std::uint32_t>(::crc32(sum_, now.data(), static_cast<uInt>(now.size())));
    data = data.subspan(now.size());
    in_chunk_ -= static_cast<std::uint32_t>(now.size());
    left_ -= now.size();
    if (in_chunk_ == 0) append_big(out, sum_);
  }
  return true;
}

}  // namespace shoal::delta
