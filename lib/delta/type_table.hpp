// The types that a kernel module brings with it, and where they name others. Private to the codec.
#pragma once

#include <cstdint>
#include <vector>

#include "delta/references.hpp"

namespace shoal::delta {

inline constexpr std::size_t kMaxTypes = 1 << 18;  // of a file, 2 MiB in the decoder; others: none

// The types of the section, in order; up to where they stop making sense. Errors: the source's.
// Format: the Linux kernel's Documentation/bpf/btf.rst.
Result<std::vector<TypeRecord>> walk_types(const ByteSource& file, const Region& region);

// Bytes of the record, its members included; 0 for a kind that is not known.
std::uint64_t type_size(std::uint32_t info);

// Appends the record's references that lie in [begin, end) of the file, in order.
void type_references(const TypeRecord& record, std::uint64_t begin, std::uint64_t end,
                     std::vector<Reference>& out);

}  // namespace shoal::delta
