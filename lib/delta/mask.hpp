// Programs, made comparable: each reference is replaced by a digest of what it points at, which
// does not change when things move. Private to the encoder.
#pragma once

#include "base/bytes.hpp"
#include "delta/references.hpp"

namespace shoal::delta {

// `masked`, a copy of the file, becomes what the matcher sees. A file without references stays as
// it is.
void mask_references(ByteView file, const ReferenceFinder& finder, MutableByteView masked);

}  // namespace shoal::delta
