// The size is put in between an envelope's header and its body. The magic is checked before the
// size is believed, so that any other file is called what it is.
#include "delta/sized_envelope.hpp"

#include "content/byte_codec.hpp"

namespace shoal::delta {
namespace {

constexpr std::size_t kHeaderBytes = 10;  // of an envelope
constexpr std::size_t kSizeBytes = 4;

}  // namespace

Bytes seal_sized(std::string_view magic, std::uint8_t version, ByteView body) {
  const Bytes sealed = content::seal_envelope(magic, version, body);
  content::ByteWriter out;
  out.raw(ByteView(sealed).first(kHeaderBytes));
  out.u32(static_cast<std::uint32_t>(sealed.size() - kHeaderBytes));
  out.raw(ByteView(sealed).subspan(kHeaderBytes));
  return out.take();
}

Result<Bytes> read_sized(const ReadNext& next, std::string_view magic, std::uint8_t version,
                         std::uint64_t max_bytes, std::string_view what) {
  Bytes prefix(kHeaderBytes + kSizeBytes);
  SHOAL_TRY(next(prefix));
  content::ByteReader reader(ByteView(prefix).subspan(kHeaderBytes), what);
  SHOAL_ASSIGN(const auto stored, reader.u32());
  if (as_text(ByteView(prefix).first(magic.size())) != magic) return reader.bad("it is not one");
  if (stored > max_bytes) {
    return fail(ErrorKind::too_large, std::string(what) + ": it is larger than any may be");
  }
  prefix.resize(kHeaderBytes + stored);
  SHOAL_TRY(next(MutableByteView(prefix).subspan(kHeaderBytes)));
  return content::open_envelope(prefix, magic, version, max_bytes, what);
}

}  // namespace shoal::delta
