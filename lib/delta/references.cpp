// One scanner for each kind of region. Tables are read by their stride. Code is scanned for the
// byte patterns of calls, jumps and RIP-relative operands whose target lies in the program; a
// disassembler would be right more often and far slower, and what is taken for a reference wrongly
// costs a few bytes of delta, never correctness.
#include "delta/references.hpp"

#include <elf.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "delta/type_table.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint64_t kRelaBytes = sizeof(Elf64_Rela);
constexpr std::uint64_t kSymBytes = sizeof(Elf64_Sym);
constexpr std::uint64_t kLowestPointer = 0x1000;  // smaller numbers in data are hardly addresses

// Opcodes that take a ModRM byte and are often used with a RIP-relative operand: the byte before
// ModRM, the second one of two-byte opcodes included.
constexpr std::array<bool, 256> kTakesModRm = [] {
  std::array<bool, 256> table{};
  for (const int opcode :
       {0x01, 0x03, 0x09, 0x0B, 0x10, 0x11, 0x12, 0x13, 0x16, 0x17, 0x21, 0x23, 0x28, 0x29,
        0x2A, 0x2B, 0x2C, 0x2D, 0x2E, 0x2F, 0x31, 0x33, 0x38, 0x39, 0x3A, 0x3B, 0x40, 0x42,
        0x44, 0x45, 0x47, 0x48, 0x4C, 0x4D, 0x4F, 0x51, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
        0x5A, 0x5B, 0x5C, 0x5D, 0x5E, 0x5F, 0x63, 0x6E, 0x6F, 0x7E, 0x7F, 0x80, 0x81, 0x83,
        0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8D, 0x90, 0x94, 0x95, 0xAF, 0xB0,
        0xB1, 0xB6, 0xB7, 0xBE, 0xBF, 0xC0, 0xC1, 0xC6, 0xC7, 0xD4, 0xD6, 0xD9, 0xDB, 0xDD,
        0xDF, 0xE7, 0xEB, 0xEF, 0xF6, 0xF7, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF}) {
    table[static_cast<std::size_t>(opcode)] = true;
  }
  return table;
}();

// Calls visit(i) for every i below `count`, in order, where a reference in code may begin by its
// first byte and the next, which bytes[count] must be there for. Bytes are looked at 64 at a time,
// in loops that compilers turn into vector instructions: most begin nothing.
template <typename Visit>
void for_each_opcode(const std::uint8_t* bytes, std::uint64_t count, const Visit& visit) {
  constexpr std::size_t kAtOnce = 64;
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  constexpr std::uint64_t kLowestBits = 0x0102040810204080ULL;  // of eight bytes, into the highest
  const auto may_begin = [](std::uint8_t byte, std::uint8_t next) -> std::uint8_t {
    const std::uint8_t call = (byte & 0xFE) == 0xE8;
    const std::uint8_t jump = std::uint8_t{byte == 0x0F} & std::uint8_t{(next & 0xF0) == 0x80};
    const std::uint8_t operand = (byte & 0xC7) == 0x05;
    return call | jump | operand;
  };
  std::uint64_t at = 0;
  for (; at + kAtOnce <= count; at += kAtOnce) {
    std::array<std::uint8_t, kAtOnce> marks;
    for (std::size_t i = 0; i < kAtOnce; ++i)
      marks[i] = may_begin(bytes[at + i], bytes[at + i + 1]);
    std::uint64_t left = 0;  // a bit for each byte
    for (std::size_t i = 0; i < kAtOnce; i += kWord) {
      left |= (load_value(marks.data() + i, kWord) * kLowestBits) >> 56 << i;
    }
    for (; left != 0; left &= left - 1) visit(at + static_cast<unsigned>(std::countr_zero(left)));
  }
  for (; at < count; ++at) {
    if (may_begin(bytes[at], bytes[at + 1]) != 0) visit(at);
  }
}

// The part of a region inside one block, and where its bytes are.
struct Span {
  const Region& region;
  std::uint64_t begin, end;  // file offsets
  std::uint64_t block_begin;
  const std::uint8_t* block;

  const std::uint8_t* at(std::uint64_t offset) const { return block + (offset - block_begin); }
  std::uint64_t address(std::uint64_t offset) const {
    return region.address + (offset - region.offset);
  }
  // The first offset ≥ begin that is a whole number of strides into the region.
  std::uint64_t first_of_stride(std::uint64_t skip, std::uint64_t stride) const {
    const std::uint64_t start = region.offset + skip;
    if (begin <= start) return start;
    return start + (begin - start + stride - 1) / stride * stride;
  }
};

class Scanner {
 public:
  Scanner(const ExecutableLayout& layout, const AddressSet& code,
          const std::vector<std::uint32_t>& unwind_entries, const std::vector<TypeRecord>& types,
          std::vector<Reference>& out)
      : lowest_address_(layout.addresses.lowest_address()),
        address_end_(layout.addresses.address_end()),
        code_(code),
        unwind_entries_(unwind_entries),
        types_(types),
        out_(out) {}

  void scan(const Span& span) {
    switch (span.region.kind) {
      case RegionKind::code:
        return code(span);
      case RegionKind::relocations:
        return relocations(span);
      case RegionKind::symbols:
        return symbols(span);
      case RegionKind::unwind_table:
        return unwind_table(span);
      case RegionKind::unwind_index:
        return unwind_index(span);
      case RegionKind::pointers:
        return pointers(span);
      case RegionKind::types:
        return types(span);
      case RegionKind::image_offsets:
        return image_offsets(span);
    }
  }

 private:
  void add(const Span& span, std::uint64_t offset, ReferenceKind kind, std::uint64_t base = 0) {
    const Reference reference{offset, kind, base};
    if (offset >= span.begin && offset + reference.width() <= span.end) out_.push_back(reference);
  }

  // Whether a place begins a reference is as good as random to a processor, so that nothing
  // branches on it: each place writes a reference, and only a right one stays.
  void code(const Span& span) {
    constexpr unsigned kShortest = 5;  // a byte of opcode and the reference
    if (span.end - span.begin < kShortest) return;
    const std::uint64_t places = span.end - span.begin - kShortest + 1;
    // What an operand may point at: between lowest and highest; nothing where that makes no sense.
    const std::uint64_t between =
        address_end_ > lowest_address_ ? address_end_ - lowest_address_ - 1 : 0;
    std::uint64_t free_from = span.begin;  // behind the last reference
    std::size_t count = out_.size();
    out_.resize(count + places / kShortest + 2);
    for_each_opcode(span.at(span.begin), places, [&](std::uint64_t i) {
      const std::uint64_t p = span.begin + i;
      const std::uint8_t* byte = span.at(p);
      const bool operand = (*byte & 0xC7) == 0x05;
      const bool jump = *byte == 0x0F;
      const bool fits = !jump | (p + 6 <= span.end);
      const std::uint64_t at = p + (jump & fits ? 2 : 1);
      const std::uint64_t target = reference_target(
          ReferenceKind::from_end32, load_value(span.at(at), 4), span.address(at), 0);
      const bool takes_operand = (i > 0) & kTakesModRm[byte[i > 0 ? -1 : 0]];
      const bool in_program = target - lowest_address_ - 1 < between;
      const bool right = operand ? takes_operand & in_program : fits & code_.contains(target);
      const bool taken = right & (p >= free_from);
      out_[count] = {at, ReferenceKind::from_end32};
      count += taken ? 1 : 0;
      free_from = taken ? at + 4 : free_from;
    });
    out_.resize(count);
  }

  void relocations(const Span& span) {
    for (std::uint64_t p = span.first_of_stride(0, kRelaBytes); p + kRelaBytes <= span.end;
         p += kRelaBytes) {
      add(span, p, ReferenceKind::absolute64);
      const std::uint64_t type = load_value(span.at(p + 8), 4);
      if (type == R_X86_64_RELATIVE) add(span, p + 16, ReferenceKind::absolute64);
    }
  }

  void symbols(const Span& span) {
    for (std::uint64_t p = span.first_of_stride(0, kSymBytes); p + kSymBytes <= span.end;
         p += kSymBytes) {
      if (load_value(span.at(p + 8), 8) != 0) add(span, p + 8, ReferenceKind::absolute64);
    }
  }

  void unwind_index(const Span& span) {
    if (span.begin <= span.region.offset + 4) {
      add(span, span.region.offset + 4, ReferenceKind::from_here32);
    }
    for (std::uint64_t p = span.first_of_stride(12, 4); p + 4 <= span.end; p += 4) {
      add(span, p, ReferenceKind::from_region32, span.region.address);
    }
  }

  void image_offsets(const Span& span) {
    for (std::uint64_t p = span.first_of_stride(0, 4); p + 4 <= span.end; p += 4) {
      add(span, p, ReferenceKind::from_region32, span.region.address);
    }
  }

  void unwind_table(const Span& span) {
    auto entry = std::ranges::lower_bound(unwind_entries_, span.begin);
    for (; entry != unwind_entries_.end() && *entry + 21 <= span.end; ++entry) {
      add(span, *entry + 4, ReferenceKind::back_from_here);
      add(span, *entry + 8, ReferenceKind::from_here32);
      const bool has_lsda = *span.at(*entry + 16) == 4;  // the augmentation's length
      if (has_lsda) add(span, *entry + 17, ReferenceKind::from_here32);
    }
  }

  void pointers(const Span& span) {
    for (std::uint64_t p = span.first_of_stride(0, 8); p + 8 <= span.end; p += 8) {
      const std::uint64_t value = load_value(span.at(p), 8);
      if (value >= std::max(kLowestPointer, lowest_address_) && value < address_end_) {
        add(span, p, ReferenceKind::absolute64);
      }
    }
  }

  void types(const Span& span) {
    auto type = std::ranges::upper_bound(types_, span.begin, {}, &TypeRecord::offset);
    if (type != types_.begin()) --type;
    for (; type != types_.end() && type->offset < span.end; ++type) {
      type_references(*type, span.begin, span.end, out_);
    }
  }

  const std::uint64_t lowest_address_;
  const std::uint64_t address_end_;
  const AddressSet& code_;
  const std::vector<std::uint32_t>& unwind_entries_;
  const std::vector<TypeRecord>& types_;
  std::vector<Reference>& out_;
};

// The frame descriptions of one .eh_frame: entries of (length, offset back to the CIE, …); length 0
// ends them, and an offset of 0 is a CIE. (Linux Standard Base, "Exception Frames".)
Result<void> walk_unwind_table(const ByteSource& file, const Region& region, std::size_t limit,
                               std::vector<std::uint32_t>& entries) {
  constexpr std::uint64_t kBufferBytes = 256 * 1024;
  Bytes buffer;
  std::uint64_t buffer_begin = 0;
  const std::uint64_t end = region.offset + region.size;
  for (std::uint64_t p = region.offset; end - p >= 8 && entries.size() < limit;) {
    if (p < buffer_begin || p + 8 > buffer_begin + buffer.size()) {
      buffer.resize(std::min(kBufferBytes, end - p));
      buffer_begin = p;
      SHOAL_TRY(file.read(p, buffer));
    }
    const std::uint8_t* entry = buffer.data() + (p - buffer_begin);
    const std::uint64_t length = load_value(entry, 4);
    if (length == 0 || length > end - p - 4) break;
    if (load_value(entry + 4, 4) != 0 && length >= 17) {
      entries.push_back(static_cast<std::uint32_t>(p));
    }
    p += 4 + length;
  }
  return {};
}

}  // namespace

std::uint64_t reference_target(ReferenceKind kind, std::uint64_t value, std::uint64_t here,
                               std::uint64_t base) {
  const auto signed_value = static_cast<std::uint64_t>(
      static_cast<std::int64_t>(static_cast<std::int32_t>(static_cast<std::uint32_t>(value))));
  switch (kind) {
    case ReferenceKind::absolute64:
      return value;
    case ReferenceKind::from_end32:
      return here + 4 + signed_value;
    case ReferenceKind::from_here32:
      return here + signed_value;
    case ReferenceKind::back_from_here:
      return here - static_cast<std::uint32_t>(value);
    case ReferenceKind::from_region32:
      return base + signed_value;
    case ReferenceKind::name32:
      return kNames + static_cast<std::uint32_t>(value);
    case ReferenceKind::type32:
      return kTypes + static_cast<std::uint32_t>(value);
  }
  return 0;
}

std::uint64_t reference_value(ReferenceKind kind, std::uint64_t target, std::uint64_t here,
                              std::uint64_t base) {
  switch (kind) {
    case ReferenceKind::absolute64:
      return target;
    case ReferenceKind::from_end32:
      return static_cast<std::uint32_t>(target - here - 4);
    case ReferenceKind::from_here32:
      return static_cast<std::uint32_t>(target - here);
    case ReferenceKind::back_from_here:
      return static_cast<std::uint32_t>(here - target);
    case ReferenceKind::from_region32:
      return static_cast<std::uint32_t>(target - base);
    case ReferenceKind::name32:
      return static_cast<std::uint32_t>(target - kNames);
    case ReferenceKind::type32:
      return static_cast<std::uint32_t>(target - kTypes);
  }
  return 0;
}

ReferenceFinder::ReferenceFinder(ExecutableLayout layout) : layout_(std::move(layout)) {
  std::vector<AddressRange> code;
  for (const auto& region : layout_.regions) {
    if (region.kind == RegionKind::code) code.push_back({region.address, 0, region.size});
  }
  code_ = AddressSet(code);
}

Result<ReferenceFinder> ReferenceFinder::make(const ByteSource& file, ExecutableLayout layout) {
  ReferenceFinder finder(std::move(layout));
  for (const auto& region : finder.layout_.regions) {
    if (region.kind == RegionKind::types && finder.types_.empty()) {
      SHOAL_ASSIGN(finder.types_, walk_types(file, region));
    }
    if (region.kind != RegionKind::unwind_table) continue;
    SHOAL_TRY(walk_unwind_table(file, region, kMaxUnwindEntries, finder.unwind_entries_));
  }
  return finder;
}

void ReferenceFinder::find(std::uint64_t block, ByteView bytes, std::vector<Reference>& out) const {
  const std::uint64_t begin = block * kBlockBytes;
  const std::uint64_t end = begin + bytes.size();
  Scanner scanner(layout_, code_, unwind_entries_, types_, out);
  auto region = std::ranges::upper_bound(layout_.regions, begin, {}, &Region::offset);
  if (region != layout_.regions.begin()) --region;
  for (; region != layout_.regions.end() && region->offset < end; ++region) {
    const Span span{*region, std::max(begin, region->offset),
                    std::min(end, region->offset + region->size), begin, bytes.data()};
    if (span.begin < span.end) scanner.scan(span);
  }
}

}  // namespace shoal::delta
