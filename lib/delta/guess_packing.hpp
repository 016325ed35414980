// How a compressed member can be made again. Private to the encoder.
#pragma once

#include <optional>

#include "delta/members.hpp"
#include "delta/prediction.hpp"

namespace shoal::delta {

// The settings of zlib that make the member of its plain bytes, to the byte; those of `hint` are
// tried first. Empty: none do, or they make fewer than `pack_rate` packed bytes in a second of a
// processor here (0: as slow as may be).
std::optional<Packing> guess_packing(ByteView file, const Member& member, ByteView plain,
                                     const DeflateSettings& hint, double pack_rate);

}  // namespace shoal::delta
