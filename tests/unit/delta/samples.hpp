// Made-up programs and edits for the delta codec's tests; all seeded.
#pragma once

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "base/bytes.hpp"

namespace shoal::delta::test {

using Random = std::mt19937_64;

inline std::uint64_t below(Random& random, std::uint64_t bound) { return random() % bound; }

inline Bytes random_bytes(Random& random, std::size_t size) {
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

// Inserts, deletions, replacements, moves and copies, as editors and linkers make them.
inline Bytes edited(Random& random, Bytes bytes, unsigned edits) {
  for (unsigned i = 0; i < edits && !bytes.empty(); ++i) {
    const std::size_t at = below(random, bytes.size());
    const std::size_t size = std::min<std::size_t>(bytes.size() - at, below(random, 300) + 1);
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = begin + static_cast<std::ptrdiff_t>(size);
    const Bytes piece(begin, end);
    switch (below(random, 4)) {
      case 0:
        bytes.erase(begin, end);
        break;
      case 1: {
        const Bytes fresh = random_bytes(random, size);
        bytes.insert(begin, fresh.begin(), fresh.end());
        break;
      }
      case 2:
        for (auto byte = begin; byte != end; byte += 1 + (end - byte) / 2) *byte ^= 0x55;
        break;
      default: {
        const auto to = static_cast<std::ptrdiff_t>(below(random, bytes.size()));
        bytes.insert(bytes.begin() + to, piece.begin(), piece.end());
      }
    }
  }
  return bytes;
}

// A small ELF program: functions that call each other and read data, an exception table, and a
// table of pointers. `padding` bytes before each function move everything behind them.
class Program {
 public:
  Program(std::uint64_t seed, unsigned functions) : functions_(functions) {
    Random random(seed);
    for (unsigned i = 0; i < functions; ++i) {
      bodies_.push_back(random_bytes(random, 24 + below(random, 100)));
      for (auto& byte : bodies_.back()) byte &= 0x3F;  // nothing that looks like a call
      callees_.push_back(static_cast<unsigned>(below(random, functions)));
    }
  }

  // Functions from `moved_from` on begin `padding` bytes later.
  Bytes link(unsigned moved_from, std::size_t padding) const;
  // The same for Windows: a DLL with its functions in .pdata, too.
  Bytes link_pe(unsigned moved_from, std::size_t padding) const;

 private:
  static constexpr std::uint64_t kText = 0x1000;
  struct Linked {
    Bytes text;
    std::vector<std::uint64_t> starts;
  };
  Linked link_text(unsigned moved_from, std::size_t padding) const;
  unsigned functions_;
  std::vector<Bytes> bodies_;
  std::vector<unsigned> callees_;
};

inline void put(Bytes& bytes, const void* data, std::size_t size) {
  const auto* first = static_cast<const std::uint8_t*>(data);
  bytes.insert(bytes.end(), first, first + size);
}

inline Program::Linked Program::link_text(unsigned moved_from, std::size_t padding) const {
  std::vector<std::uint64_t> starts;
  std::uint64_t at = kText;
  for (unsigned i = 0; i < functions_; ++i) {
    if (i == moved_from) at += padding;
    starts.push_back(at);
    at += bodies_[i].size() + 5;
  }
  Bytes text;
  for (unsigned i = 0; i < functions_; ++i) {
    if (i == moved_from) text.insert(text.end(), padding, 0x90);
    put(text, bodies_[i].data(), bodies_[i].size());
    const std::uint64_t next = kText + text.size() + 5;
    const auto distance = static_cast<std::int32_t>(starts[callees_[i]] - next);
    text.push_back(0xE8);
    put(text, &distance, sizeof distance);
  }
  return {text, starts};
}

inline Bytes Program::link_pe(unsigned moved_from, std::size_t padding) const {
  constexpr std::uint64_t kBase = 0x180000000, kTextAt = 0x400;
  const auto [text, starts] = link_text(moved_from, padding);
  Bytes pointers, functions;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::uint64_t pointer = kBase + starts[i];
    put(pointers, &pointer, sizeof pointer);
    const std::uint64_t end = i + 1 < starts.size() ? starts[i + 1] : kText + text.size();
    for (const auto address : {starts[i], end, std::uint64_t{0x40}}) put(functions, &address, 4);
  }
  const auto aligned = [](std::uint64_t size) { return (size + 0x1FF) / 0x200 * 0x200; };
  const auto paged = [](std::uint64_t size) { return (size + 0xFFF) / 0x1000 * 0x1000; };
  const std::uint64_t data_at = kTextAt + aligned(text.size());
  const std::uint64_t functions_at = data_at + aligned(pointers.size());
  const std::uint64_t data = kText + paged(text.size());  // in memory
  const std::uint64_t pdata = data + paged(pointers.size());

  Bytes file(functions_at + aligned(functions.size()));
  const auto set = [&](std::size_t at, std::uint64_t value, unsigned width) {
    std::memcpy(file.data() + at, &value, width);
  };
  const std::size_t pe = 0x80, optional = pe + 24, sections = optional + 240;
  std::memcpy(file.data(), "MZ", 2);
  set(0x3C, pe, 4);
  std::memcpy(file.data() + pe, "PE\0\0", 4);
  set(pe + 4, 0x8664, 2);
  set(pe + 6, 3, 2);
  set(pe + 20, 240, 2);
  set(optional, 0x20B, 2);
  set(optional + 24, kBase, 8);
  set(optional + 56, pdata + paged(functions.size()), 4);
  set(optional + 60, kTextAt, 4);
  set(optional + 108, 16, 4);
  set(optional + 112 + 24, pdata, 4);
  set(optional + 112 + 28, functions.size(), 4);
  std::size_t header = sections;
  const auto section = [&](const char* name, const Bytes& bytes, std::uint64_t address,
                           std::uint64_t at, std::uint32_t characteristics) {
    std::memcpy(file.data() + header, name, std::strlen(name));
    set(header + 8, bytes.size(), 4);
    set(header + 12, address, 4);
    set(header + 16, aligned(bytes.size()), 4);
    set(header + 20, at, 4);
    set(header + 36, characteristics, 4);
    header += 40;
    std::ranges::copy(bytes, file.begin() + static_cast<std::ptrdiff_t>(at));
  };
  section(".text", text, kText, kTextAt, 0x60000020);
  section(".data", pointers, data, data_at, 0xC0000040);
  section(".pdata", functions, pdata, functions_at, 0x40000040);
  return file;
}

inline Bytes Program::link(unsigned moved_from, std::size_t padding) const {
  const auto [text, starts] = link_text(moved_from, padding);
  Bytes pointers;
  for (const auto start : starts) put(pointers, &start, sizeof start);

  const char names[] = "\0.text\0.data.rel.ro\0.shstrtab";
  const std::uint64_t data_at = (kText + text.size() + 7) / 8 * 8;
  const std::uint64_t names_at = data_at + pointers.size();
  const std::uint64_t sections_at = names_at + sizeof names;
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
  header.e_machine = EM_X86_64;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  header.e_shoff = sections_at;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 4;
  header.e_shstrndx = 3;
  Elf64_Phdr segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_X;
  segment.p_filesz = segment.p_memsz = names_at;
  Elf64_Shdr sections[4]{};
  sections[1] = {1, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, kText, kText, text.size(), 0, 0, 1, 0};
  sections[2] = {7, SHT_PROGBITS, SHF_ALLOC, data_at, data_at, pointers.size(), 0, 0, 8, 0};
  sections[3] = {20, SHT_STRTAB, 0, 0, names_at, sizeof names, 0, 0, 1, 0};

  Bytes file;
  put(file, &header, sizeof header);
  put(file, &segment, sizeof segment);
  file.resize(kText);
  put(file, text.data(), text.size());
  file.resize(data_at);
  put(file, pointers.data(), pointers.size());
  put(file, names, sizeof names);
  put(file, sections, sizeof sections);
  return file;
}

}  // namespace shoal::delta::test
