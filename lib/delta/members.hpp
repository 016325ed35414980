// Compressed members of a file: deflate streams in zip and gzip files, and, behind a zlib header,
// in whatever pak an engine makes, or in a PNG file. Private to the encoder.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/stop_token.hpp"

namespace shoal::delta {

// A raw deflate stream (RFC 1951) within a file, its header and checksum left outside; or the row
// of a PNG file's IDAT chunks, if there are several.
struct Member {
  std::uint64_t offset = 0;
  std::uint64_t packed_size = 0;
  std::uint64_t plain_size = 0;
  std::uint32_t adler32 = 1;      // of the plain bytes
  std::uint16_t zlib_header = 0;  // that stands before the stream; 0: none
  bool in_png = false;
  std::uint32_t png_chunk = 0;  // PngRow::chunk_bytes

  std::uint64_t end() const { return offset + packed_size; }
};

// The deflate stream of a member, whatever it stands in.
Bytes deflate_stream(ByteView file, const Member& member);

// In order, without overlap. Only those whose checksum fits, and that are worth the trouble:
// at least 64 bytes packed, at most kMaxMemberBytes (block.hpp) plain. Errors: cancelled.
Result<std::vector<Member>> find_members(ByteView file, const StopToken& stop);

}  // namespace shoal::delta
