// LEB128 numbers, prefixed texts, a checksum at the end. Reading stops at the first thing that
// cannot be, and never reads or allocates beyond what the bytes can hold.
#include "install/wire.hpp"

#include <fmt/core.h>

#include "base/sha256.hpp"

namespace shoal::install {
namespace {

constexpr std::size_t kHeaderBytes = 5;  // magic and version
constexpr std::size_t kDigestBytes = 32;

}  // namespace

WireWriter::WireWriter(const std::array<char, 4>& magic, std::uint8_t version) {
  bytes_.assign(magic.begin(), magic.end());
  bytes_.push_back(version);
}

void WireWriter::number(std::uint64_t value) {
  while (value >= 0x80) {
    bytes_.push_back(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  bytes_.push_back(static_cast<std::uint8_t>(value));
}

void WireWriter::signed_number(std::int64_t value) {
  auto bits = static_cast<std::uint64_t>(value);
  number((bits << 1) ^ (value < 0 ? ~0ULL : 0));
}

void WireWriter::text(std::string_view text) {
  number(text.size());
  bytes_.insert(bytes_.end(), text.begin(), text.end());
}

void WireWriter::stamp(const FileStamp& stamp) {
  number(stamp.size);
  signed_number(stamp.mtime_ns);
  number(stamp.inode);
}

Bytes WireWriter::finish() {
  Digest digest = sha256(bytes_);
  bytes_.insert(bytes_.end(), digest.bytes.begin(), digest.bytes.end());
  return std::move(bytes_);
}

Result<WireReader> WireReader::open(ByteView bytes, const std::array<char, 4>& magic,
                                    std::uint8_t version, std::string_view what) {
  WireReader reader({}, what);
  if (bytes.size() < kHeaderBytes + kDigestBytes) return reader.corrupt();
  auto body = bytes.first(bytes.size() - kDigestBytes);
  auto digest = Digest::from_bytes(bytes.last(kDigestBytes));
  if (as_text(body.first(magic.size())) != std::string_view(magic.data(), magic.size()) ||
      sha256(body) != *digest)
    return reader.corrupt();
  if (body[magic.size()] != version)
    return fail(ErrorKind::unsupported_version,
                fmt::format("read {}: format {} is unknown to this version of Shoal", what,
                            body[magic.size()]));
  reader.rest_ = body.subspan(kHeaderBytes);
  return reader;
}

std::unexpected<Error> WireReader::corrupt() const {
  return fail(ErrorKind::state_corrupt, fmt::format("read {}: the bytes are damaged", what_));
}

Result<std::uint64_t> WireReader::number() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) return corrupt();
    std::uint8_t byte = rest_.front();
    rest_ = rest_.subspan(1);
    if (shift == 63 && byte > 1) return corrupt();
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return corrupt();
}

Result<std::int64_t> WireReader::signed_number() {
  SHOAL_ASSIGN(auto bits, number());
  return static_cast<std::int64_t>((bits >> 1) ^ ((bits & 1) != 0 ? ~0ULL : 0));
}

Result<std::string> WireReader::text() {
  SHOAL_ASSIGN(auto size, number());
  if (size > rest_.size()) return corrupt();
  std::string text(as_text(rest_.first(size)));
  rest_ = rest_.subspan(size);
  return text;
}

Result<FileStamp> WireReader::stamp() {
  FileStamp stamp;
  SHOAL_ASSIGN(stamp.size, number());
  SHOAL_ASSIGN(stamp.mtime_ns, signed_number());
  SHOAL_ASSIGN(stamp.inode, number());
  return stamp;
}

Result<std::size_t> WireReader::count(std::size_t bytes_each) {
  SHOAL_ASSIGN(auto count, number());
  if (count > rest_.size() / bytes_each) return corrupt();
  return static_cast<std::size_t>(count);
}

Result<void> WireReader::expect_end() const {
  if (!rest_.empty()) return corrupt();
  return {};
}

}  // namespace shoal::install
