// The layout of a Windows program. Private to the codec.
#pragma once

#include "delta/executable_layout.hpp"

namespace shoal::delta {

// Of a PE32+ file for x86-64 (Microsoft, "PE Format"); empty for anything else. Errors: the
// source's.
Result<ExecutableLayout> read_pe_layout(const ByteSource& file);

}  // namespace shoal::delta
