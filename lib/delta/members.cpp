// Every place that may begin a stream is tried: a false one is found out after a few bytes, and the
// checksum behind a stream tells chance from data.
#include "delta/members.hpp"

#include <optional>

#include "delta/block.hpp"
#include "delta/deflate.hpp"
#include "delta/png_chunks.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint64_t kMinMemberBytes = 64;
constexpr std::uint64_t kStopCheck = 1 << 20;

std::uint32_t little(ByteView bytes, std::size_t at, unsigned width) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < width; ++i) value |= std::uint32_t{bytes[at + i]} << (8 * i);
  return value;
}

std::uint32_t big(ByteView bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value = value << 8 | bytes[at + i];
  return value;
}

// What a container says of the stream in it.
struct Header {
  std::size_t size = 0;  // the stream begins behind it; 0: this is none
  enum class Sum : std::uint8_t { adler32_behind, crc32_behind, crc32_known } sum{};
  std::uint32_t crc32 = 0;
  std::uint16_t zlib_header = 0;
};

// RFC 1950: method 8, a multiple of 31, no preset dictionary.
Header zlib_header(ByteView bytes) {
  if (bytes.size() < 6 || (bytes[0] & 0x0F) != 8 || bytes[0] > 0x78) return {};
  if ((bytes[0] * 256 + bytes[1]) % 31 != 0 || (bytes[1] & 0x20) != 0) return {};
  const auto header = static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
  return {kZlibHeaderBytes, Header::Sum::adler32_behind, 0, header};
}

// RFC 1952.
Header gzip_header(ByteView bytes) {
  constexpr std::uint8_t kHeaderCrc = 2, kExtra = 4, kName = 8, kComment = 16;
  if (bytes.size() < 18 || bytes[1] != 0x8B || bytes[2] != 8 || bytes[3] > 31) return {};
  std::size_t at = 10;
  if ((bytes[3] & kExtra) != 0) at += 2 + little(bytes, at, 2);
  for (const auto flag : {kName, kComment}) {
    if ((bytes[3] & flag) == 0) continue;
    while (at < bytes.size() && bytes[at] != 0) ++at;
    ++at;
  }
  if ((bytes[3] & kHeaderCrc) != 0) at += 2;
  return {at < bytes.size() ? at : 0, Header::Sum::crc32_behind};
}

// APPNOTE.TXT 4.3.7. With a data descriptor the sum stands behind the stream and its signature.
Header zip_header(ByteView bytes) {
  constexpr std::uint32_t kSignature = 0x04034B50;
  constexpr std::size_t kFixed = 30;
  if (bytes.size() < kFixed || little(bytes, 0, 4) != kSignature) return {};
  if (little(bytes, 8, 2) != 8) return {};
  const std::size_t size = kFixed + little(bytes, 26, 2) + little(bytes, 28, 2);
  if (size >= bytes.size()) return {};
  return {size, Header::Sum::crc32_known, little(bytes, 14, 4)};
}

Header header_at(ByteView bytes) {
  switch (bytes[0]) {
    case 0x1F:
      return gzip_header(bytes);
    case 'P':
      return zip_header(bytes);
    default:
      return zlib_header(bytes);
  }
}

bool sum_fits(const Header& header, const Inflated& stream, ByteView behind) {
  if (header.sum == Header::Sum::adler32_behind) {
    return behind.size() >= 4 && big(behind, 0) == stream.adler32;
  }
  if (header.sum == Header::Sum::crc32_known && header.crc32 != 0) {
    return header.crc32 == stream.crc32;
  }
  const std::size_t at = header.sum == Header::Sum::crc32_known ? 4 : 0;
  return behind.size() >= at + 4 && little(behind, at, 4) == stream.crc32;
}

// The stream that begins at `begin`, behind its header.
std::optional<Member> member_at(ByteView file, std::uint64_t begin, const Header& header) {
  const auto stream = inflate_scan(file.subspan(begin), kMaxMemberBytes);
  if (!stream || stream->packed_size < kMinMemberBytes ||
      stream->packed_size >= stream->plain_size ||
      !sum_fits(header, *stream, file.subspan(begin + stream->packed_size))) {
    return std::nullopt;
  }
  return Member{begin, stream->packed_size, stream->plain_size, stream->adler32,
                header.zlib_header};
}

// The row of several IDAT chunks whose first has its type at `at`, unless one before `rows_end` was
// none, of which this is the rest. Moves rows_end behind it.
std::optional<Member> png_member_at(ByteView file, std::uint64_t at, std::uint64_t& rows_end) {
  constexpr std::uint64_t kLengthBytes = 4;
  if (at < rows_end + kLengthBytes || as_text(file.subspan(at, 4)) != "IDAT") return std::nullopt;
  const MemorySource source(file);
  const auto found = PngRow::find(source, at - kLengthBytes, kMaxMemberBytes);
  if (!found || !*found || (*found)->row_bytes() == (*found)->size() + kPngChunkExtra) {
    return std::nullopt;  // a single chunk is a zlib stream like any other
  }
  const PngRow& row = **found;
  rows_end = at - kLengthBytes + row.row_bytes();
  Bytes stream(row.size());
  if (!row.read(0, stream)) return std::nullopt;
  const Header header = zlib_header(stream);
  if (header.size == 0) return std::nullopt;
  auto member = member_at(stream, header.size, header);
  if (!member || member->end() + kZlibTrailerBytes != stream.size()) return std::nullopt;
  member->offset = at - kLengthBytes;
  member->packed_size = row.row_bytes();
  member->in_png = true;
  member->png_chunk = row.chunk_bytes();
  return member;
}

// One that is told by the byte at `at`.
std::optional<Member> try_at(ByteView file, std::uint64_t at, std::uint64_t& rows_end) {
  const std::uint8_t byte = file[at];
  if (byte == 'I') return png_member_at(file, at, rows_end);
  // In PNG files, small windows are common; elsewhere 78 is what everybody writes.
  const bool in_png = byte < 0x78 && (byte & 0x0F) == 8 && at > 0 && file[at - 1] == 'T';
  if (byte != 0x78 && byte != 'P' && byte != 0x1F && !in_png) return std::nullopt;
  const Header header = header_at(file.subspan(at));
  if (header.size == 0) return std::nullopt;
  return member_at(file, at + header.size, header);
}

}  // namespace

Bytes deflate_stream(ByteView file, const Member& member) {
  const auto bytes = file.subspan(member.offset, member.packed_size);
  if (!member.in_png) return {bytes.begin(), bytes.end()};
  const MemorySource source(file);
  const auto row = PngRow::find(source, member.offset, member.packed_size);
  if (!row || !*row) return {};
  Bytes stream((*row)->size() - kZlibHeaderBytes - kZlibTrailerBytes);
  if (!(*row)->read(kZlibHeaderBytes, stream)) return {};
  return stream;
}

Result<std::vector<Member>> find_members(ByteView file, const StopToken& stop) {
  std::vector<Member> members;
  std::uint64_t next_check = 0;
  std::uint64_t free_from = 0;  // behind the last one
  std::uint64_t rows_end = 0;   // behind the last row of PNG chunks
  for (std::uint64_t at = 0; at + kMinMemberBytes < file.size(); ++at) {
    if (at >= next_check) {
      SHOAL_TRY(stop.check());
      next_check = at + kStopCheck;
    }
    const auto member = try_at(file, at, rows_end);
    if (!member || member->offset < free_from) continue;
    members.push_back(*member);
    free_from = member->end();
    at = free_from - 1;
  }
  return members;
}

}  // namespace shoal::delta
