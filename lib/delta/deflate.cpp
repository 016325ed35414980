// zlib's output follows from the settings and the bytes alone, however these come in pieces.
#include "delta/deflate.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace shoal::delta {
namespace {

constexpr std::size_t kPiece = 64 << 10;
constexpr int kRawWindow = -15;  // raw deflate, with the largest window

// One stream's state, used again for the next: a tree has millions of places to try.
class Inflater {
 public:
  Inflater() {
    if (::inflateInit2(&stream_, kRawWindow) != Z_OK) throw std::bad_alloc();
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { ::inflateEnd(&stream_); }

  z_stream& restart(ByteView packed) {
    ::inflateReset(&stream_);
    stream_.next_in = const_cast<Bytef*>(packed.data());
    stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(packed.size(), UINT32_MAX));
    return stream_;
  }

 private:
  z_stream stream_{};
};

Inflater& spare_inflater() {
  static thread_local Inflater inflater;
  return inflater;
}

}  // namespace

bool is_valid(const DeflateSettings& settings) {
  return settings.level >= 1 && settings.level <= 9 && settings.memory_level >= 1 &&
         settings.memory_level <= 9 && settings.window_bits >= 9 && settings.window_bits <= 15 &&
         settings.strategy <= 4;
}

struct Deflater::State {
  z_stream stream{};
};

void Deflater::End::operator()(State* state) const noexcept {
  ::deflateEnd(&state->stream);
  delete state;
}

Deflater::Deflater(const DeflateSettings& settings) : state_(new State) {
  if (::deflateInit2(&state_->stream, settings.level, Z_DEFLATED, -settings.window_bits,
                     settings.memory_level, settings.strategy) != Z_OK) {
    throw std::bad_alloc();
  }
}

Result<void> Deflater::add(ByteView plain, bool last, const Write& write) {
  z_stream& stream = state_->stream;
  std::array<std::uint8_t, kPiece> out;
  while (true) {
    const ByteView now = plain.first(std::min<std::size_t>(plain.size(), 1U << 30));
    plain = plain.subspan(now.size());
    stream.next_in = const_cast<Bytef*>(now.data());
    stream.avail_in = static_cast<uInt>(now.size());
    const bool ends = last && plain.empty();
    do {
      stream.next_out = out.data();
      stream.avail_out = static_cast<uInt>(out.size());
      ::deflate(&stream, ends ? Z_FINISH : Z_NO_FLUSH);
      const std::size_t made = out.size() - stream.avail_out;
      if (made > 0) SHOAL_TRY(write(ByteView(out).first(made)));
    } while (stream.avail_out == 0);
    if (plain.empty()) return {};
  }
}

std::optional<Inflated> inflate_scan(ByteView bytes, std::uint64_t most) {
  z_stream& stream = spare_inflater().restart(bytes);
  static thread_local Bytes out(kPiece);
  Inflated found;
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    result = ::inflate(&stream, Z_NO_FLUSH);
    const auto made = static_cast<uInt>(out.size() - stream.avail_out);
    found.plain_size += made;
    if (result < Z_OK || found.plain_size > most) return std::nullopt;
    found.adler32 = static_cast<std::uint32_t>(::adler32(found.adler32, out.data(), made));
    found.crc32 = static_cast<std::uint32_t>(::crc32(found.crc32, out.data(), made));
    if (result == Z_OK && made == 0) return std::nullopt;  // cut off
  }
  if (result != Z_STREAM_END) return std::nullopt;
  found.packed_size = stream.total_in;
  return found;
}

std::optional<Bytes> inflate_exactly(ByteView packed, std::uint64_t plain_size) {
  z_stream& stream = spare_inflater().restart(packed);
  Bytes plain(plain_size);
  stream.next_out = plain.data();
  stream.avail_out = static_cast<uInt>(plain.size());
  if (::inflate(&stream, Z_FINISH) != Z_STREAM_END || stream.avail_out != 0 ||
      stream.avail_in != 0) {
    return std::nullopt;
  }
  return plain;
}

}  // namespace shoal::delta
