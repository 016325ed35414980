// Kernel modules whose types are numbered anew: the numbers are told apart from what stays, and
// damaged tables end safely.
#include "delta/type_table.hpp"

#include <elf.h>

#include <algorithm>

#include "round_trip.hpp"
#include "samples.hpp"

namespace shoal::delta {
namespace {

using namespace test;

constexpr std::uint32_t kPointer = 2U << 24;
constexpr std::uint32_t kArray = 3U << 24;
constexpr std::uint32_t kStruct = 4U << 24;
constexpr std::uint64_t kSectionAt = sizeof(Elf64_Ehdr);
constexpr std::uint64_t kTypesAt = kSectionAt + 24;

void put_word(Bytes& bytes, std::uint32_t word) { put(bytes, &word, sizeof word); }

// A relocatable file with a .BTF section of these types.
Bytes module_of(const Bytes& types, std::uint16_t elf_type = ET_REL) {
  Bytes section = {0x9F, 0xEB, 1, 0};
  for (const std::uint32_t word : {24U, 0U, static_cast<std::uint32_t>(types.size()),
                                   static_cast<std::uint32_t>(types.size()), 0U}) {
    put_word(section, word);
  }
  section.insert(section.end(), types.begin(), types.end());
  const char names[] = "\0.BTF\0.shstrtab";
  const std::uint64_t names_at = kSectionAt + section.size();
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = elf_type;
  header.e_machine = EM_X86_64;
  header.e_shoff = names_at + sizeof names;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 3;
  header.e_shstrndx = 2;
  Elf64_Shdr sections[3]{};
  sections[1] = {1, SHT_PROGBITS, 0, 0, kSectionAt, section.size(), 0, 0, 1, 0};
  sections[2] = {6, SHT_STRTAB, 0, 0, names_at, sizeof names, 0, 0, 1, 0};
  Bytes file;
  put(file, &header, sizeof header);
  put(file, section.data(), section.size());
  put(file, names, sizeof names);
  put(file, sections, sizeof sections);
  return file;
}

// Structures of two members each; types and names of the kernel have other numbers by `shift`.
Bytes structures(std::uint64_t seed, unsigned count, std::uint32_t shift) {
  Random random(seed);
  Bytes types;
  for (unsigned i = 0; i < count; ++i) {
    put_word(types, static_cast<std::uint32_t>(below(random, 3000)) + shift);
    put_word(types, kStruct | 2);
    put_word(types, 16);
    for (std::uint32_t bits = 0; bits < 128; bits += 64) {
      put_word(types, static_cast<std::uint32_t>(below(random, 3000)) + shift);
      put_word(types, static_cast<std::uint32_t>(below(random, 300)) + shift);
      put_word(types, bits);
    }
  }
  return types;
}

std::vector<Reference> references_of(const Bytes& file) {
  const MemorySource source(file);
  auto layout = read_layout(source);
  EXPECT_TRUE(layout);
  const auto finder = ReferenceFinder::make(source, std::move(*layout));
  EXPECT_TRUE(finder);
  std::vector<Reference> found;
  constexpr auto kBlock = ReferenceFinder::kBlockBytes;
  for (std::uint64_t block = 0; block * kBlock < file.size(); ++block) {
    const auto rest = ByteView(file).subspan(block * kBlock);
    finder->find(block, rest.first(std::min<std::size_t>(kBlock, rest.size())), found);
  }
  return found;
}

TEST(TypeTable, NamesAndTypesAreFoundByKind) {
  Bytes types;
  for (const std::uint32_t word : {7U, kPointer, 9U}) put_word(types, word);
  for (const std::uint32_t word : {0U, kArray, 0U, 5U, 6U, 100U}) put_word(types, word);
  const auto found = references_of(module_of(types));
  const std::vector<std::pair<std::uint64_t, ReferenceKind>> expected = {
      {0, ReferenceKind::name32},  {8, ReferenceKind::type32},  {12, ReferenceKind::name32},
      {24, ReferenceKind::type32}, {28, ReferenceKind::type32},
  };
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].offset, kTypesAt + expected[i].first) << i;
    EXPECT_EQ(found[i].kind, expected[i].second) << i;
  }
}

TEST(TypeTable, ARecordLongerThanABlockIsFoundFromItsMiddle) {
  constexpr std::uint32_t kMembers = 5000;
  Bytes types;
  for (const std::uint32_t word : {1U, kStruct | kMembers, 8U}) put_word(types, word);
  for (std::uint32_t i = 0; i < 3 * kMembers; ++i) put_word(types, i);
  const auto found = references_of(module_of(types));
  EXPECT_GT(found.size(), 2 * kMembers - 10);  // all but those that cross a block's end
  EXPECT_LE(found.size(), 2 * kMembers + 1);
  EXPECT_TRUE(std::ranges::is_sorted(found, {}, &Reference::offset));
}

TEST(TypeTable, ALinkedFileHasNone) {
  EXPECT_TRUE(references_of(module_of(structures(1, 10, 0), ET_DYN)).empty());
}

TEST(TypeTable, TypesThatTheKernelNumbersAnewCostLittle) {
  const Files old_files = {module_of(structures(2, 2000, 100))};
  const Files new_files = {module_of(structures(2, 2000, 70100))};
  const auto made = make_delta(old_files, new_files);
  EXPECT_EQ(made.statistics.literal_bytes, 0U);
  EXPECT_LT(made.statistics.wrong_references, 20U);
  EXPECT_LT(made.delta.size(), 500U);
  expect_round_trip(old_files, new_files);
}

TEST(TypeTable, DamagedTypesEndSafely) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Bytes damaged = module_of(structures(seed, 50, 0));
    for (int n = 0; n < 8; ++n) {
      damaged[kSectionAt + below(random, 400)] = static_cast<std::uint8_t>(random());
    }
    damaged.resize(damaged.size() - below(random, 2) * below(random, 8));
    const auto found = references_of(damaged);
    EXPECT_TRUE(std::ranges::is_sorted(found, {}, &Reference::offset));
    for (const auto& reference : found) EXPECT_LE(reference.offset + 4, damaged.size());
    expect_round_trip({module_of(structures(seed, 50, 0))}, {damaged});
    expect_round_trip({damaged}, {module_of(structures(seed, 50, 0))});
  }
}

}  // namespace
}  // namespace shoal::delta
