// One value, one zstd frame: no dictionary, no checksum (a digest covers it), size stated in the
// frame's header. Private to `content`. Thread-safe: each thread has its own contexts.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace shoal::content {

// Empty when packing does not make it smaller.
Bytes zstd_pack(ByteView plain, int level);
// The size stated by the frame, if `packed` is exactly one frame that states it.
std::optional<std::uint64_t> zstd_content_size(ByteView packed);
// False unless `packed` is exactly one frame of exactly out.size() bytes. Never writes beyond out.
bool zstd_unpack(ByteView packed, MutableByteView out);

}  // namespace shoal::content
