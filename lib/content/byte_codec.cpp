// Strict little codecs. A zstd body is only unpacked when its frame is alone and states a size
// within the limit, so nothing larger than that is ever allocated.
#include "content/byte_codec.hpp"

#include <fmt/core.h>

#include <cassert>

#include "content/zstd_frame.hpp"

namespace shoal::content {
namespace {

constexpr std::size_t kHeaderBytes = 10;
constexpr int kEnvelopeLevel = 12;  // small, written once, fetched by every client

}  // namespace

void ByteWriter::u32(std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void ByteWriter::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<std::uint8_t>(value | 0x80));
  bytes_.push_back(static_cast<std::uint8_t>(value));
}

void ByteWriter::signed_varint(std::int64_t value) {
  varint(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
}

std::unexpected<Error> ByteReader::bad(std::string_view why) const {
  return fail(ErrorKind::metadata_invalid, fmt::format("{}: {}", what_, why));
}

Result<ByteView> ByteReader::raw(std::size_t count) {
  if (count > rest_.size()) {
    rest_ = {};
    return bad("it ends too early");
  }
  auto bytes = rest_.first(count);
  rest_ = rest_.subspan(count);
  return bytes;
}

Result<std::uint32_t> ByteReader::u32() {
  SHOAL_ASSIGN(auto bytes, raw(4));
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

Result<std::uint64_t> ByteReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    SHOAL_ASSIGN(auto byte_view, raw(1));
    std::uint64_t byte = byte_view[0];
    std::uint64_t bits = byte & 0x7f;
    bool overflow = shift == 63 && bits > 1;
    bool padded = shift > 0 && byte == 0;
    if (overflow || padded) break;
    value |= bits << shift;
    if (byte < 0x80) return value;
  }
  rest_ = {};
  return bad("a number is not in its shortest encoding, or beyond 64 bits");
}

Result<std::int64_t> ByteReader::signed_varint() {
  SHOAL_ASSIGN(auto value, varint());
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

Result<void> ByteReader::expect_end() const {
  if (!rest_.empty()) return bad("there are bytes after its end");
  return {};
}

Bytes seal_envelope(std::string_view magic, std::uint8_t version, ByteView body) {
  assert(magic.size() + 2 == kHeaderBytes);
  Bytes bytes = to_bytes(magic);
  bytes.push_back(version);
  Bytes packed = zstd_pack(body, kEnvelopeLevel);
  bool pays = !packed.empty();
  bytes.push_back(pays ? 1 : 0);
  ByteView stored = pays ? ByteView(packed) : body;
  bytes.insert(bytes.end(), stored.begin(), stored.end());
  return bytes;
}

Result<Bytes> open_envelope(ByteView bytes, std::string_view magic, std::uint8_t version,
                            std::uint64_t max_bytes, std::string_view what) {
  ByteReader reader(bytes, what);
  SHOAL_ASSIGN(auto header, reader.raw(kHeaderBytes));
  if (as_text(header.first(magic.size())) != magic) return reader.bad("it is not one");
  if (header[magic.size()] != version)
    return fail(ErrorKind::unsupported_version,
                fmt::format("{}: format version {}; this program knows {}", what,
                            header[magic.size()], version));
  ByteView body = bytes.subspan(kHeaderBytes);
  std::uint8_t packed = header[magic.size() + 1];
  if (packed > 1) return reader.bad("its packing is unknown");
  std::optional<std::uint64_t> size = packed == 0 ? body.size() : zstd_content_size(body);
  if (!size) return reader.bad("its body is not one zstd frame of stated size");
  if (*size > max_bytes)
    return fail(ErrorKind::too_large,
                fmt::format("{}: {} bytes, more than {}", what, *size, max_bytes));
  if (packed == 0) return Bytes(body.begin(), body.end());
  Bytes plain(*size);
  if (!zstd_unpack(body, plain)) return reader.bad("its body does not decompress");
  return plain;
}

}  // namespace shoal::content
