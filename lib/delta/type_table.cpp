// A record is three words: name, info, and a size or another type; then members of its kind. The
// names and types that a module does not have itself are the kernel's, so that their numbers change
// in every module when the kernel is built anew, and in all of them alike.
#include "delta/type_table.hpp"

#include <algorithm>
#include <array>

namespace shoal::delta {
namespace {

constexpr std::uint64_t kHeaderBytes = 24;
constexpr std::uint64_t kMagic = 0xEB9F;
constexpr std::uint64_t kRecordBytes = 12;

// What follows a record's three words, by kind.
struct Shape {
  bool known = false;
  bool names_type = false;       // the third word is a type, not a size
  std::uint8_t fixed_bytes = 0;  // once; of an array, two types and a count
  std::uint8_t member_bytes = 0;
  bool member_has_name = false;  // its first word
  std::uint8_t member_type = 0;  // where in the member a type is, in bytes …
  bool member_has_type = false;  // … if it has one
};

constexpr unsigned kArray = 3;

constexpr std::array<Shape, 32> kShapes = [] {
  std::array<Shape, 32> shapes{};
  shapes[1] = {true, false, 4, 0, false, 0, false};               // integer
  shapes[kArray] = {true, false, 12, 0, false, 0, false};         // array
  shapes[4] = shapes[5] = {true, false, 0, 12, true, 4, true};    // struct, union
  shapes[6] = {true, false, 0, 8, true, 0, false};                // enum
  shapes[7] = shapes[16] = {true, false, 0, 0, false, 0, false};  // forward, floating point
  for (const int kind : {2, 8, 9, 10, 11, 12, 18}) {  // pointer, typedef, qualifiers, function, tag
    shapes[static_cast<std::size_t>(kind)] = {true, true, 0, 0, false, 0, false};
  }
  shapes[13] = {true, true, 0, 8, true, 4, true};                 // function prototype
  shapes[14] = shapes[17] = {true, true, 4, 0, false, 0, false};  // variable, declaration tag
  shapes[15] = {true, false, 0, 12, false, 0, true};              // data section
  shapes[19] = {true, false, 0, 12, true, 0, false};              // enum of 64 bits
  return shapes;
}();

const Shape& shape_of(std::uint32_t info) { return kShapes[info >> 24 & 31]; }
std::uint64_t members_of(std::uint32_t info) { return info & 0xFFFF; }

}  // namespace

std::uint64_t type_size(std::uint32_t info) {
  const auto& shape = shape_of(info);
  if (!shape.known) return 0;
  return kRecordBytes + shape.fixed_bytes + shape.member_bytes * members_of(info);
}

Result<std::vector<TypeRecord>> walk_types(const ByteSource& file, const Region& region) {
  std::vector<TypeRecord> records;
  std::array<std::uint8_t, kHeaderBytes> header{};
  if (region.size < kHeaderBytes) return records;
  SHOAL_TRY(file.read(region.offset, header));
  const std::uint64_t begin = load_value(header.data() + 4, 4) + load_value(header.data() + 8, 4);
  const std::uint64_t size = load_value(header.data() + 12, 4);
  const std::uint64_t magic = load_value(header.data(), 4) & 0xFFFF;
  if (magic != kMagic || begin > region.size || size > region.size - begin) {
    return records;
  }
  constexpr std::uint64_t kBufferBytes = 64 * 1024;
  Bytes buffer;
  std::uint64_t buffer_begin = 0;
  std::uint64_t at = region.offset + begin;
  const std::uint64_t end = at + size;
  while (end - at >= kRecordBytes && records.size() < kMaxTypes) {
    if (at < buffer_begin || at + kRecordBytes > buffer_begin + buffer.size()) {
      buffer.resize(std::min(kBufferBytes, end - at));
      buffer_begin = at;
      SHOAL_TRY(file.read(at, buffer));
    }
    const auto info =
        static_cast<std::uint32_t>(load_value(buffer.data() + (at - buffer_begin) + 4, 4));
    const std::uint64_t bytes = type_size(info);
    if (bytes == 0 || bytes > end - at) break;
    records.push_back({static_cast<std::uint32_t>(at), info});
    at += bytes;
  }
  return records;
}

void type_references(const TypeRecord& record, std::uint64_t begin, std::uint64_t end,
                     std::vector<Reference>& out) {
  const auto add = [&](std::uint64_t offset, ReferenceKind kind) {
    if (offset >= begin && offset + 4 <= end) out.push_back({offset, kind, 0});
  };
  const auto& shape = shape_of(record.info);
  add(record.offset, ReferenceKind::name32);
  if (shape.names_type) add(record.offset + 8, ReferenceKind::type32);
  const std::uint64_t fixed = record.offset + kRecordBytes;
  if ((record.info >> 24 & 31) == kArray) {
    add(fixed, ReferenceKind::type32);
    add(fixed + 4, ReferenceKind::type32);
  }
  if (shape.member_bytes == 0) return;
  const std::uint64_t members = fixed + shape.fixed_bytes;
  const std::uint64_t skip = begin > members ? (begin - members) / shape.member_bytes : 0;
  for (std::uint64_t i = skip; i < members_of(record.info); ++i) {
    const std::uint64_t member = members + i * shape.member_bytes;
    if (member >= end) break;
    if (shape.member_has_name) add(member, ReferenceKind::name32);
    if (shape.member_has_type) add(member + shape.member_type, ReferenceKind::type32);
  }
}

}  // namespace shoal::delta
