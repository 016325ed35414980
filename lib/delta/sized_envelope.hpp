// An envelope (content/byte_codec.hpp) inside a stream: its size stands before its body. Private to
// the codec.
#pragma once

#include <functional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal::delta {

// Gives exactly out.size() bytes, the next ones of a stream; may wait for them.
using ReadNext = std::function<Result<void>(MutableByteView out)>;

// 8 bytes of magic, version, packing, a u32: the body's size as stored; the body.
Bytes seal_sized(std::string_view magic, std::uint8_t version, ByteView body);
// The body, at most max_bytes, stored and unpacked. Errors: those of open_envelope() and `next`.
Result<Bytes> read_sized(const ReadNext& next, std::string_view magic, std::uint8_t version,
                         std::uint64_t max_bytes, std::string_view what);

}  // namespace shoal::delta
