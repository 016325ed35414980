// Where a 64-bit x86 program, ELF or PE, keeps addresses, as far as its headers tell. An update
// moves functions and data; nearly every other byte that changes in a program is an address of
// something that moved. Both sides of the codec read the layout from the old file, so that it costs
// nothing in a delta; it is only a hint, and any file, damaged ones included, has some layout.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "delta/byte_source.hpp"

namespace shoal::delta {

// A range of a file that is mapped when the program runs (a PT_LOAD segment's bytes).
struct AddressRange {
  std::uint64_t address = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;

  bool operator==(const AddressRange&) const = default;
};

// File offsets and addresses, either way.
class AddressMap {
 public:
  static constexpr std::size_t kMaxRanges = 64;  // linkers make four to ten

  AddressMap() = default;
  // Ranges that overflow are dropped, as are those beyond kMaxRanges.
  AddressMap(const std::vector<AddressRange>& ranges, std::uint64_t address_end);

  std::optional<std::uint64_t> address_of(std::uint64_t offset) const {
    for (const auto& range : ranges_) {
      const std::uint64_t into = offset - range.offset;  // large when before it
      if (into < range.size) return range.address + into;
    }
    return std::nullopt;
  }
  std::optional<std::uint64_t> offset_of(std::uint64_t address) const {
    for (const auto& range : ranges_) {
      const std::uint64_t into = address - range.address;
      if (into < range.size) return range.offset + into;
    }
    return std::nullopt;
  }
  // Of all ranges; 0 without any.
  std::uint64_t lowest_address() const {
    std::uint64_t lowest = ranges_.empty() ? 0 : UINT64_MAX;
    for (const auto& range : ranges_) lowest = std::min(lowest, range.address);
    return lowest;
  }
  // One past the highest address, memory without bytes in the file (.bss) included.
  std::uint64_t address_end() const { return address_end_; }
  const std::vector<AddressRange>& ranges() const { return ranges_; }

 private:
  std::vector<AddressRange> ranges_;
  std::uint64_t address_end_ = 0;
};

enum class RegionKind : std::uint8_t {
  code,           // x86-64 instructions
  relocations,    // Elf64_Rela
  symbols,        // Elf64_Sym
  unwind_table,   // .eh_frame
  unwind_index,   // .eh_frame_hdr
  pointers,       // data with absolute 64-bit addresses at multiples of 8
  types,          // .BTF, of relocatable files (kernel modules)
  image_offsets,  // 32-bit numbers, from the address at which the image begins (PE: .pdata)
};

struct Region {
  RegionKind kind = RegionKind::code;
  std::uint64_t offset = 0;  // in the file
  std::uint64_t size = 0;
  std::uint64_t address = 0;  // when mapped; of image_offsets the image's
};

struct ExecutableLayout {
  AddressMap addresses;
  std::vector<Region> regions;  // in order of offset, without overlap

  bool empty() const { return regions.empty(); }
};

inline constexpr std::uint64_t kMaxExecutableBytes = 1ULL << 30;  // larger files are plain data

// Gives an empty layout for anything but a 64-bit x86 ELF or PE file. Of an ELF file that is not
// linked only the types are looked at. Errors: the source's only.
Result<ExecutableLayout> read_layout(const ByteSource& file);

}  // namespace shoal::delta
