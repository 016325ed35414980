// Reads the ELF header, the program headers for addresses and the section headers for regions.
// Every number is checked against the file's size before it is used; what does not make sense is
// skipped, never refused. (System V ABI, AMD64 supplement; the section names are the toolchain's.)
#include "delta/executable_layout.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "delta/pe_layout.hpp"

namespace shoal::delta {
namespace {

constexpr std::size_t kMaxHeaders = 4096;  // section or program headers: a table beyond is skipped
constexpr std::size_t kMaxNamesBytes = 1 << 20;

template <typename T>
Result<std::vector<T>> read_table(const ByteSource& file, std::uint64_t offset,
                                  std::uint64_t count) {
  std::vector<T> table;
  const std::uint64_t size = file.size();
  if (count > kMaxHeaders || offset > size || count * sizeof(T) > size - offset) return table;
  table.resize(count);
  SHOAL_TRY(file.read(offset, {reinterpret_cast<std::uint8_t*>(table.data()), count * sizeof(T)}));
  return table;
}

bool inside(std::uint64_t offset, std::uint64_t size, std::uint64_t whole) {
  return offset <= whole && size <= whole - offset;
}

std::optional<RegionKind> kind_of(const Elf64_Shdr& section, std::string_view name) {
  if ((section.sh_flags & SHF_EXECINSTR) != 0) return RegionKind::code;
  if (section.sh_type == SHT_RELA) return RegionKind::relocations;
  if (section.sh_type == SHT_DYNSYM || section.sh_type == SHT_SYMTAB) return RegionKind::symbols;
  if (name == ".eh_frame_hdr") return RegionKind::unwind_index;
  if (name == ".eh_frame") return RegionKind::unwind_table;
  for (const std::string_view data :
       {".init_array", ".fini_array", ".got", ".got.plt", ".data.rel.ro", ".dynamic", ".data"}) {
    if (name == data) return RegionKind::pointers;
  }
  return std::nullopt;
}

std::optional<RegionKind> kind_of_relocatable(std::string_view name) {
  if (name == ".BTF") return RegionKind::types;
  return std::nullopt;
}

AddressMap read_addresses(const std::vector<Elf64_Phdr>& headers, std::uint64_t file_size) {
  std::vector<AddressRange> ranges;
  std::uint64_t end = 0;
  for (const auto& header : headers) {
    if (header.p_type != PT_LOAD || !inside(header.p_offset, header.p_filesz, file_size)) continue;
    ranges.push_back({header.p_vaddr, header.p_offset, header.p_filesz});
    if (header.p_memsz <= UINT64_MAX / 2 && header.p_vaddr <= UINT64_MAX / 2) {
      end = std::max(end, header.p_vaddr + header.p_memsz);
    }
  }
  return {ranges, end};
}

std::string_view name_at(const Bytes& names, std::uint32_t offset) {
  if (offset >= names.size()) return {};
  const auto text = as_text(ByteView(names).subspan(offset));
  return text.substr(0, text.find('\0'));
}

Result<Bytes> read_names(const ByteSource& file, const std::vector<Elf64_Shdr>& sections,
                         std::uint16_t index) {
  Bytes names;
  if (index >= sections.size()) return names;
  const auto& section = sections[index];
  if (section.sh_size > kMaxNamesBytes || !inside(section.sh_offset, section.sh_size, file.size()))
    return names;
  names.resize(section.sh_size);
  SHOAL_TRY(file.read(section.sh_offset, names));
  return names;
}

// In order of offset; of two that overlap, the first one stays.
std::vector<Region> in_order(std::vector<Region> regions) {
  std::ranges::stable_sort(regions, {}, &Region::offset);
  std::vector<Region> kept;
  for (const auto& region : regions) {
    if (kept.empty() || region.offset - kept.back().offset >= kept.back().size) {
      kept.push_back(region);
    }
  }
  return kept;
}

}  // namespace

AddressMap::AddressMap(const std::vector<AddressRange>& ranges, std::uint64_t address_end)
    : address_end_(address_end) {
  for (const auto& range : ranges) {
    const bool fits = range.size <= UINT64_MAX / 4 && range.address <= UINT64_MAX / 4 &&
                      range.offset <= UINT64_MAX / 4;
    if (fits && range.size > 0 && ranges_.size() < kMaxRanges) ranges_.push_back(range);
  }
}

namespace {

Result<ExecutableLayout> read_elf_layout(const ByteSource& file) {
  ExecutableLayout layout;
  Elf64_Ehdr header;
  if (file.size() < sizeof header || file.size() > kMaxExecutableBytes) return layout;
  SHOAL_TRY(file.read(0, {reinterpret_cast<std::uint8_t*>(&header), sizeof header}));
  const bool linked = header.e_type == ET_EXEC || header.e_type == ET_DYN;
  const bool relocatable = header.e_type == ET_REL;  // has no program headers
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64 ||
      !(relocatable || (linked && header.e_phentsize == sizeof(Elf64_Phdr))) ||
      header.e_shentsize != sizeof(Elf64_Shdr)) {
    return layout;
  }
  std::vector<Elf64_Phdr> segments;
  if (linked) {
    SHOAL_ASSIGN(segments, read_table<Elf64_Phdr>(file, header.e_phoff, header.e_phnum));
  }
  SHOAL_ASSIGN(const auto sections, read_table<Elf64_Shdr>(file, header.e_shoff, header.e_shnum));
  SHOAL_ASSIGN(const auto names, read_names(file, sections, header.e_shstrndx));
  layout.addresses = read_addresses(segments, file.size());
  for (const auto& section : sections) {
    if (section.sh_type == SHT_NOBITS || section.sh_type == SHT_NULL) continue;
    if (!inside(section.sh_offset, section.sh_size, file.size())) continue;
    const auto name = name_at(names, section.sh_name);
    const auto kind = linked ? kind_of(section, name) : kind_of_relocatable(name);
    if (kind) {
      layout.regions.push_back({*kind, section.sh_offset, section.sh_size, section.sh_addr});
    }
  }
  return layout;
}

}  // namespace

Result<ExecutableLayout> read_layout(const ByteSource& file) {
  SHOAL_ASSIGN(auto layout, read_elf_layout(file));
  if (layout.empty()) {
    SHOAL_ASSIGN(auto of_pe, read_pe_layout(file));
    if (!of_pe.empty()) layout = std::move(of_pe);
  }
  layout.regions = in_order(std::move(layout.regions));
  return layout;
}

}  // namespace shoal::delta
