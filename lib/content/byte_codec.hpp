// Little-endian numbers and LEB128 varints, written and read strictly; and zstd envelopes of
// bounded size. For `content` and `delta` only.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal::content {

class ByteWriter {
 public:
  void raw(ByteView bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void u32(std::uint32_t value);           // little-endian
  void varint(std::uint64_t value);        // 7 bits a byte, least significant first
  void signed_varint(std::int64_t value);  // zigzag: 0, -1, 1, -2, …
  std::size_t size() const { return bytes_.size(); }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

// Every read fails cleanly at the end of the bytes; after a failure everything fails.
class ByteReader {
 public:
  ByteReader(ByteView bytes, std::string_view what) : rest_(bytes), what_(what) {}

  Result<ByteView> raw(std::size_t count);
  Result<std::uint32_t> u32();
  Result<std::uint64_t> varint();  // the shortest encoding only
  Result<std::int64_t> signed_varint();
  std::size_t remaining() const { return rest_.size(); }
  Result<void> expect_end() const;
  std::unexpected<Error> bad(std::string_view why) const;

 private:
  ByteView rest_;
  std::string_view what_;
};

// An envelope: 8 bytes of magic, one of version, one that says whether the body follows plain (0)
// or as one zstd frame that states its size (1); whichever is shorter.
Bytes seal_envelope(std::string_view magic, std::uint8_t version, ByteView body);
// The body, at most max_bytes. Errors: metadata_invalid, unsupported_version, too_large.
Result<Bytes> open_envelope(ByteView bytes, std::string_view magic, std::uint8_t version,
                            std::uint64_t max_bytes, std::string_view what);

}  // namespace shoal::content
