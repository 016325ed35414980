// Compressed as the publisher's tool did it, which the encoder has tried.
#include "delta/member_writer.hpp"

#include <zlib.h>

#include <array>

#include "delta/damaged.hpp"

namespace shoal::delta {
namespace {

std::unexpected<Error> packs_otherwise() {
  return bad("a member is compressed otherwise than when it was published");
}

}  // namespace

MemberWriter::MemberWriter(const Packing& packing)
    : packing_(packing), deflater_(packing.settings) {
  if (packing.png_chunk != 0) row_.emplace(packing.png_chunk, packing.packed_size);
}

Result<void> MemberWriter::add(ByteView plain, bool last, const Write& write) {
  if (row_ && written_ == 0 && adler32_ == 1) {
    const std::array<std::uint8_t, kZlibHeaderBytes> header = {
        static_cast<std::uint8_t>(packing_.zlib_header >> 8),
        static_cast<std::uint8_t>(packing_.zlib_header)};
    SHOAL_TRY(frame(header, write));
  }
  SHOAL_TRY(deflater_.add(plain, last, [&](ByteView stream) { return frame(stream, write); }));
  if (row_) {
    adler32_ = static_cast<std::uint32_t>(
        ::adler32(adler32_, plain.data(), static_cast<uInt>(plain.size())));
  }
  if (!last) return {};
  if (row_) {
    std::array<std::uint8_t, kZlibTrailerBytes> trailer{};
    for (std::size_t i = 0; i < trailer.size(); ++i) {
      trailer[i] = static_cast<std::uint8_t>(adler32_ >> (24 - 8 * i));
    }
    SHOAL_TRY(frame(trailer, write));
    if (!row_->is_whole()) return packs_otherwise();
  }
  return written_ == packing_.packed_size ? Result<void>() : packs_otherwise();
}

Result<void> MemberWriter::frame(ByteView stream, const Write& write) {
  if (!row_) return put(stream, write);
  chunks_.clear();
  if (!row_->add(stream, chunks_)) return packs_otherwise();
  return put(chunks_, write);
}

Result<void> MemberWriter::put(ByteView bytes, const Write& write) {
  if (bytes.size() > packing_.packed_size - written_) return packs_otherwise();
  const std::uint64_t at = written_;
  written_ += bytes.size();
  return write(at, bytes);
}

}  // namespace shoal::delta
