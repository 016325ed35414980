// DOS header, PE signature, COFF header, optional header, section table. Every number is checked
// against the file's size before it is used; what does not make sense is skipped, never refused.
#include "delta/pe_layout.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace shoal::delta {
namespace {

// Fields by their offsets, in headers that have no other use here.
constexpr std::uint64_t kDosHeaderBytes = 64;
constexpr std::size_t kPeOffset = 0x3C;  // in the DOS header
// From the PE signature on: signature, COFF header, the optional header as far as it is needed.
constexpr std::size_t kMachine = 4, kSectionCount = 6, kOptionalSize = 20;
constexpr std::size_t kOptional = 24;
constexpr std::size_t kMagic = kOptional, kImageBase = kOptional + 24, kImageSize = kOptional + 56;
constexpr std::size_t kHeadersSize = kOptional + 60, kDirectoryCount = kOptional + 108;
constexpr std::size_t kUnwindDirectory = kOptional + 112 + 3 * 8;  // RUNTIME_FUNCTIONs
constexpr std::size_t kHeadBytes = kUnwindDirectory + 8;
constexpr std::uint32_t kX86_64 = 0x8664, kPe32Plus = 0x20B;
// A section header.
constexpr std::size_t kSectionBytes = 40;
constexpr std::size_t kVirtualSize = 8, kVirtualAddress = 12, kRawSize = 16, kRawOffset = 20;
constexpr std::size_t kCharacteristics = 36;
constexpr std::uint32_t kExecutes = 0x20000000, kHasData = 0x40;
constexpr std::size_t kMaxSections = 96;  // what Windows loads

std::uint64_t field(ByteView bytes, std::size_t at, unsigned width) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, width);
  return value;
}

// A section's bytes that are in the file and in memory.
AddressRange range_of(ByteView section, std::uint64_t image_base, std::uint64_t file_size) {
  const std::uint64_t offset = field(section, kRawOffset, 4);
  const std::uint64_t size = std::min(field(section, kRawSize, 4), field(section, kVirtualSize, 4));
  if (offset > file_size || size > file_size - offset) return {};
  return {image_base + field(section, kVirtualAddress, 4), offset, size};
}

}  // namespace

Result<ExecutableLayout> read_pe_layout(const ByteSource& file) {
  ExecutableLayout layout;
  std::array<std::uint8_t, kDosHeaderBytes> dos;
  std::array<std::uint8_t, kHeadBytes> head;
  if (file.size() < kDosHeaderBytes + kHeadBytes || file.size() > kMaxExecutableBytes)
    return layout;
  SHOAL_TRY(file.read(0, dos));
  const std::uint64_t begin = field(dos, kPeOffset, 4);
  if (dos[0] != 'M' || dos[1] != 'Z' || begin > file.size() - kHeadBytes) return layout;
  SHOAL_TRY(file.read(begin, head));
  const std::uint64_t sections = field(head, kSectionCount, 2);
  const std::uint64_t table = begin + kOptional + field(head, kOptionalSize, 2);
  if (std::memcmp(head.data(), "PE\0\0", 4) != 0 || field(head, kMachine, 2) != kX86_64 ||
      field(head, kMagic, 2) != kPe32Plus || sections > kMaxSections || table > file.size() ||
      sections * kSectionBytes > file.size() - table) {
    return layout;
  }
  Bytes headers(sections * kSectionBytes);
  SHOAL_TRY(file.read(table, headers));

  const std::uint64_t base = field(head, kImageBase, 8);
  std::vector<AddressRange> ranges = {
      {base, 0, std::min(field(head, kHeadersSize, 4), file.size())}};
  for (std::uint64_t i = 0; i < sections; ++i) {
    const auto section = ByteView(headers).subspan(i * kSectionBytes, kSectionBytes);
    const auto range = range_of(section, base, file.size());
    if (range.size == 0) continue;
    ranges.push_back(range);
    const std::uint64_t characteristics = field(section, kCharacteristics, 4);
    if ((characteristics & kExecutes) != 0) {
      layout.regions.push_back({RegionKind::code, range.offset, range.size, range.address});
    } else if ((characteristics & kHasData) != 0) {
      layout.regions.push_back({RegionKind::pointers, range.offset, range.size, range.address});
    }
  }
  layout.addresses = AddressMap(ranges, base + field(head, kImageSize, 4));

  // The table of functions is a section of its own: it takes the place of that.
  const std::uint64_t unwind_size = field(head, kUnwindDirectory + 4, 4);
  const auto unwind = layout.addresses.offset_of(base + field(head, kUnwindDirectory, 4));
  if (field(head, kDirectoryCount, 4) > 3 && unwind && unwind_size > 0 &&
      unwind_size <= file.size() - *unwind) {
    std::erase_if(layout.regions, [&](const Region& region) { return region.offset == *unwind; });
    layout.regions.push_back({RegionKind::image_offsets, *unwind, unwind_size, base});
  }
  return layout;
}

}  // namespace shoal::delta
