// Everything that a decoder will use as an index or a size is checked here, once: covers lie within
// one old file and in order within their part, counts within their limits.
#include "delta/block.hpp"

#include <algorithm>

#include "delta/damaged.hpp"

namespace shoal::delta {
namespace {

void write_fixes(content::ByteWriter& plan, const std::vector<AddressFix>& fixes) {
  plan.varint(fixes.size());
  AddressFix last;
  for (const auto& fix : fixes) {
    plan.varint(fix.old_address - last.old_address);
    plan.signed_varint(static_cast<std::int64_t>((fix.new_address - fix.old_address) -
                                                 (last.new_address - last.old_address)));
    last = fix;
  }
}

Result<std::vector<AddressFix>> read_fixes(content::ByteReader& plan) {
  SHOAL_ASSIGN(const auto count, plan.varint());
  if (count > kMaxFixes) return bad("too many address fixes");
  std::vector<AddressFix> fixes;
  AddressFix last;
  for (std::uint64_t i = 0; i < count; ++i) {
    SHOAL_ASSIGN(const auto step, plan.varint());
    SHOAL_ASSIGN(const auto turn, plan.signed_varint());
    const std::uint64_t old_address = last.old_address + step;
    if (old_address < last.old_address) return bad("address fixes out of order");
    const std::uint64_t shift =
        (last.new_address - last.old_address) + static_cast<std::uint64_t>(turn);
    last = {old_address, old_address + shift};
    fixes.push_back(last);
  }
  return fixes;
}

void write_addresses(content::ByteWriter& plan, const AddressMap& map) {
  plan.varint(map.ranges().size());
  for (const auto& range : map.ranges()) {
    plan.varint(range.address);
    plan.varint(range.offset);
    plan.varint(range.size);
  }
  plan.varint(map.address_end());
}

Result<AddressMap> read_addresses(content::ByteReader& plan) {
  SHOAL_ASSIGN(const auto count, plan.varint());
  if (count > AddressMap::kMaxRanges) return bad("too many address ranges");
  std::vector<AddressRange> ranges;
  for (std::uint64_t i = 0; i < count; ++i) {
    SHOAL_ASSIGN(const auto address, plan.varint());
    SHOAL_ASSIGN(const auto offset, plan.varint());
    SHOAL_ASSIGN(const auto size, plan.varint());
    ranges.push_back({address, offset, size});
  }
  SHOAL_ASSIGN(const auto end, plan.varint());
  return AddressMap(ranges, end);
}

void write_packing(content::ByteWriter& plan, const Part& part) {
  if (!part.packing) {
    plan.varint(0);
    return;
  }
  const auto& settings = part.packing->settings;
  for (const auto number :
       {settings.level, settings.memory_level, settings.window_bits, settings.strategy}) {
    plan.varint(number);
  }
  plan.varint(part.packing->packed_size);
  plan.varint(part.packing->png_chunk);
  if (part.packing->png_chunk != 0) plan.varint(part.packing->zlib_header);
  plan.varint(part.members.size());
  for (const auto& member : part.members) {
    plan.varint(member.file);
    plan.varint(member.offset);
    plan.varint(member.packed_size);
    plan.varint(member.plain_size);
    plan.varint(member.in_png ? 1 : 0);
  }
}

Result<std::optional<Packing>> read_packing(content::ByteReader& plan) {
  SHOAL_ASSIGN(const auto level, plan.varint());
  if (level == 0) return std::nullopt;
  SHOAL_ASSIGN(const auto memory_level, plan.varint());
  SHOAL_ASSIGN(const auto window_bits, plan.varint());
  SHOAL_ASSIGN(const auto strategy, plan.varint());
  SHOAL_ASSIGN(const auto packed_size, plan.varint());
  for (const auto number : {level, memory_level, window_bits, strategy}) {
    if (number > UINT8_MAX) return bad("settings of deflate that there are not");
  }
  Packing packing{{static_cast<std::uint8_t>(level), static_cast<std::uint8_t>(memory_level),
                   static_cast<std::uint8_t>(window_bits), static_cast<std::uint8_t>(strategy)},
                  packed_size};
  if (!is_valid(packing.settings)) return bad("settings of deflate that there are not");
  if (packed_size == 0 || packed_size > kMaxMemberBytes) return bad("a member of no valid size");
  SHOAL_ASSIGN(const auto png_chunk, plan.varint());
  if (png_chunk == 0) return packing;
  SHOAL_ASSIGN(const auto zlib_header, plan.varint());
  if (png_chunk > UINT32_MAX || zlib_header > UINT16_MAX ||
      !PngRowWriter::is_valid(static_cast<std::uint32_t>(png_chunk), packed_size)) {
    return bad("PNG chunks of no valid size");
  }
  packing.png_chunk = static_cast<std::uint32_t>(png_chunk);
  packing.zlib_header = static_cast<std::uint16_t>(zlib_header);
  return packing;
}

Result<std::vector<OldMember>> read_members(content::ByteReader& plan, const OldSpace& old) {
  SHOAL_ASSIGN(const auto count, plan.varint());
  if (count > kMaxPartMembers) return bad("too many members in a part");
  std::vector<OldMember> members;
  std::uint64_t left = kMaxMemberBytes;
  for (std::uint64_t i = 0; i < count; ++i) {
    OldMember member;
    SHOAL_ASSIGN(member.file, plan.varint());
    SHOAL_ASSIGN(member.offset, plan.varint());
    SHOAL_ASSIGN(member.packed_size, plan.varint());
    SHOAL_ASSIGN(member.plain_size, plan.varint());
    SHOAL_ASSIGN(const auto in_png, plan.varint());
    if (in_png > 1) return bad("a member in a container that is not known");
    member.in_png = in_png == 1;
    if (member.file >= old.file_count()) return bad("a member of a file that is not there");
    const std::uint64_t size = old.file(member.file).size();
    if (member.offset > size || member.packed_size > size - member.offset ||
        member.packed_size > kMaxMemberBytes) {
      return bad("a member beyond its old file");
    }
    if (member.plain_size == 0 || member.plain_size > left)
      return bad("members that are too large");
    left -= member.plain_size;
    members.push_back(member);
  }
  return members;
}

Result<std::vector<Cover>> read_covers(content::ByteReader& plan, std::uint64_t part_size,
                                       const OldSpace& old) {
  SHOAL_ASSIGN(const auto count, plan.varint());
  if (count > kMaxPartCovers) return bad("too many covers");
  std::vector<Cover> covers;
  Cover last;
  for (std::uint64_t i = 0; i < count; ++i) {
    SHOAL_ASSIGN(const auto gap, plan.varint());
    SHOAL_ASSIGN(const auto size, plan.varint());
    SHOAL_ASSIGN(const auto move, plan.signed_varint());
    const std::uint64_t left = part_size - last.new_end();
    if (size == 0 || gap > left || size > left - gap) return bad("a cover beyond its part");
    const Cover cover{last.old_end() + static_cast<std::uint64_t>(move), last.new_end() + gap,
                      size};
    if (cover.old_begin >= old.size()) return bad("a cover beyond the old files");
    const std::size_t file = old.file_at(cover.old_begin);
    if (size > old.start(file) + old.file(file).size() - cover.old_begin) {
      return bad("a cover beyond its old file");
    }
    covers.push_back(cover);
    last = cover;
  }
  return covers;
}

}  // namespace

Bytes format_block(std::uint64_t new_bytes, const std::array<PackedStream, kStreamCount>& streams) {
  content::ByteWriter writer;
  writer.u32(static_cast<std::uint32_t>(new_bytes));
  writer.u32(static_cast<std::uint32_t>(new_bytes >> 32));
  for (const auto& packed : streams) {
    writer.raw({&packed.method, 1});
    writer.u32(static_cast<std::uint32_t>(packed.plain_size));
    writer.u32(static_cast<std::uint32_t>(packed.bytes.size()));
  }
  for (const auto& packed : streams) writer.raw(packed.bytes);
  return writer.take();
}

Result<BlockHeader> parse_block_header(ByteView bytes) {
  content::ByteReader reader(bytes, "the delta's block");
  BlockHeader header;
  SHOAL_ASSIGN(const std::uint64_t low, reader.u32());
  SHOAL_ASSIGN(const std::uint64_t high, reader.u32());
  header.new_bytes = low | high << 32;
  std::uint64_t plain = 0;
  std::uint64_t packed = 0;
  for (auto& entry : header.streams) {
    SHOAL_ASSIGN(const auto method, reader.raw(1));
    entry.method = method[0];
    SHOAL_ASSIGN(entry.plain_size, reader.u32());
    SHOAL_ASSIGN(entry.packed_size, reader.u32());
    plain += entry.plain_size;
    packed += entry.packed_size;
  }
  if (plain > kMaxBlockBytes || packed > kMaxBlockBytes) {
    return fail(ErrorKind::too_large, "the delta has a block of more than 16 MiB");
  }
  if (header.new_bytes == 0) return bad("an empty block");
  return header;
}

void write_part(content::ByteWriter& plan, const Part& part) {
  plan.varint(part.size);
  write_packing(plan, part);
  plan.varint(part.covers.size());
  Cover last;
  for (const auto& cover : part.covers) {
    plan.varint(cover.new_begin - last.new_end());
    plan.varint(cover.size);
    plan.signed_varint(static_cast<std::int64_t>(cover.old_begin - last.old_end()));
    last = cover;
  }
  plan.varint(part.programs.size());
  if (part.programs.empty()) return;
  write_addresses(plan, part.new_addresses);
  for (const auto& program : part.programs) {
    plan.varint(program.file);
    write_fixes(plan, program.fixes);
  }
}

Result<Part> read_part(content::ByteReader& plan, const PartContext& context) {
  Part part;
  part.file = context.file;
  part.file_offset = context.file_offset;
  SHOAL_ASSIGN(part.size, plan.varint());
  SHOAL_ASSIGN(part.packing, read_packing(plan));
  if (part.size == 0 || part.file_size() > context.rest) return bad("a part beyond its file");
  if (part.packing) {
    if (part.size > kMaxMemberBytes) return bad("a member that is too large");
    SHOAL_ASSIGN(part.members, read_members(plan, context.old));
  }
  const MemberSpace space(context.old, part.members);
  SHOAL_ASSIGN(part.covers, read_covers(plan, part.size, space.space()));
  SHOAL_ASSIGN(const auto programs, plan.varint());
  if (programs > kMaxPartPrograms) return bad("too many programs in a part");
  if (programs == 0) return part;
  SHOAL_ASSIGN(part.new_addresses, read_addresses(plan));
  for (std::uint64_t i = 0; i < programs; ++i) {
    OldProgram program;
    SHOAL_ASSIGN(program.file, plan.varint());
    if (program.file >= context.old.file_count()) return bad("a program that is not there");
    SHOAL_ASSIGN(program.fixes, read_fixes(plan));
    SHOAL_ASSIGN(program.finder, context.finder_of(program.file));
    part.programs.push_back(std::move(program));
  }
  return part;
}

}  // namespace shoal::delta
