// Programs, made comparable: each reference is replaced by a digest of what it points at, which
// does not change when things move. Private to the encoder.
#pragma once

#include "base/bytes.hpp"
#include "delta/references.hpp"

namespace shoal::delta {

// The bytes of one file as the matcher sees them. A file without references stays as it is.
// Errors: the source's.
Result<Bytes> mask_references(ByteView file, const ReferenceFinder& finder);

}  // namespace shoal::delta
