// Finds references: bytes of an executable that say where something else is. A reference's value is
// expected to change when what it points at moves, and to change predictably.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "delta/address_set.hpp"
#include "delta/executable_layout.hpp"

namespace shoal::delta {

// One type of a .BTF section, as its first words tell it.
struct TypeRecord {
  std::uint32_t offset = 0;  // in the file
  std::uint32_t info = 0;    // its kind, and how many members it has
};

enum class ReferenceKind : std::uint8_t {
  absolute64,      // the target's address
  from_end32,      // signed: target minus the address after these four bytes (calls, RIP-relative)
  from_here32,     // signed: target minus the address of these four bytes (.eh_frame)
  back_from_here,  // unsigned: the address of these four bytes minus target (.eh_frame's CIE)
  from_region32,   // signed: target minus the region's address (.eh_frame_hdr)
  name32,          // a string's number (.BTF): the target is kNames and that
  type32,          // a type's number (.BTF): the target is kTypes and that
};

// Numbers that are no addresses have targets far above any: those of one kind together, as
// memory that is not in the file.
inline constexpr std::uint64_t kNames = 1ULL << 61;
inline constexpr std::uint64_t kTypes = 1ULL << 62;
inline bool is_number(ReferenceKind kind) {
  return kind == ReferenceKind::name32 || kind == ReferenceKind::type32;
}

struct Reference {
  std::uint64_t offset = 0;  // in the file
  ReferenceKind kind = ReferenceKind::absolute64;
  std::uint64_t base = 0;  // from_region32: the region's address; otherwise 0

  unsigned width() const { return kind == ReferenceKind::absolute64 ? 8 : 4; }
};

// Values to and from targets; `here` is the address of the reference's first byte. `base` is the
// region's address on the side where `here` is.
std::uint64_t reference_target(ReferenceKind kind, std::uint64_t value, std::uint64_t here,
                               std::uint64_t base);
std::uint64_t reference_value(ReferenceKind kind, std::uint64_t target, std::uint64_t here,
                              std::uint64_t base);

// Little-endian, of the reference's width.
// Every machine this runs on is.
inline std::uint64_t load_value(const std::uint8_t* bytes, unsigned width) {
  if (width == 8) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes, 8);
    return value;
  }
  std::uint32_t value = 0;
  std::memcpy(&value, bytes, 4);
  return value;
}
inline void store_value(std::uint8_t* bytes, std::uint64_t value, unsigned width) {
  std::memcpy(bytes, &value, width == 8 ? 8 : 4);
}

// The references of one file, block by block, in any order: whether four bytes are a reference
// depends on nothing outside their block, so that a decoder may begin anywhere. (.eh_frame, a
// chain, is the exception: it is walked once.) Both sides of the codec must find the same: what
// this finds is part of the format.
class ReferenceFinder {
 public:
  static constexpr std::uint64_t kBlockBytes = 16 * 1024;
  static constexpr std::size_t kMaxUnwindEntries = 4 << 20;  // bounds the walk's memory: 16 MiB

  // Walks .eh_frame. `file` must outlive the finder. Errors: the source's.
  static Result<ReferenceFinder> make(const ByteSource& file, ExecutableLayout layout);

  const ExecutableLayout& layout() const { return layout_; }

  // Appends the references that begin in the block [block·kBlockBytes, + kBlockBytes) in order of
  // offset, without overlap. `bytes` is that block, shorter only at the end of the file. A
  // reference that would reach beyond its block is none.
  void find(std::uint64_t block, ByteView bytes, std::vector<Reference>& out) const;

 private:
  explicit ReferenceFinder(ExecutableLayout layout);

  ExecutableLayout layout_;
  AddressSet code_;                            // executable sections
  std::vector<std::uint32_t> unwind_entries_;  // offsets of FDEs in the file, ascending
  std::vector<TypeRecord> types_;              // of .BTF, in order of offset
};

}  // namespace shoal::delta
