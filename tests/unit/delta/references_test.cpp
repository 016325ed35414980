// What is found in a program, and that it does not matter where one begins to look.
#include "delta/references.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "delta/mask.hpp"
#include "samples.hpp"

namespace shoal::delta {
namespace {

using namespace test;

Result<ReferenceFinder> finder_for(const MemorySource& source) {
  SHOAL_ASSIGN(auto layout, read_layout(source));
  return ReferenceFinder::make(source, std::move(layout));
}

std::vector<Reference> all_references(ByteView file, const ReferenceFinder& finder) {
  std::vector<Reference> references;
  for (std::size_t at = 0; at < file.size(); at += ReferenceFinder::kBlockBytes) {
    const auto rest = file.subspan(at);
    finder.find(at / ReferenceFinder::kBlockBytes,
                rest.first(std::min<std::size_t>(rest.size(), ReferenceFinder::kBlockBytes)),
                references);
  }
  return references;
}

Bytes masked(Bytes file, const ReferenceFinder& finder) {
  const Bytes plain = file;
  mask_references(plain, finder, file);
  return file;
}

TEST(References, CallsAndPointersOfAProgramAreFound) {
  const Bytes file = Program(1, 100).link(0, 0);
  const MemorySource source(file);
  const auto finder = finder_for(source);
  ASSERT_TRUE(finder);
  unsigned calls = 0, pointers = 0;
  for (const auto& reference : all_references(file, *finder)) {
    if (reference.kind == ReferenceKind::from_end32) ++calls;
    if (reference.kind == ReferenceKind::absolute64) ++pointers;
  }
  EXPECT_EQ(calls, 100U);
  EXPECT_EQ(pointers, 100U);
}

TEST(References, AWindowsProgramHasItsTableOfFunctionsToo) {
  const Bytes file = Program(1, 100).link_pe(0, 0);
  const MemorySource source(file);
  const auto finder = finder_for(source);
  ASSERT_TRUE(finder);
  unsigned calls = 0, pointers = 0, functions = 0;
  for (const auto& reference : all_references(file, *finder)) {
    if (reference.kind == ReferenceKind::from_end32) ++calls;
    if (reference.kind == ReferenceKind::absolute64) ++pointers;
    if (reference.kind == ReferenceKind::from_region32) ++functions;
  }
  EXPECT_EQ(calls, 100U);
  EXPECT_EQ(pointers, 100U);
  EXPECT_EQ(functions, 300U);
}

// What the format says of code, byte by byte (docs/formats/delta.md), where the opcodes 01, 80, 85,
// 8B and FF take operands and no others appear.
std::vector<std::uint64_t> references_as_specified(ByteView file, const ExecutableLayout& layout) {
  const auto is_code = [&](std::uint64_t address) {
    return std::ranges::any_of(layout.regions, [&](const Region& region) {
      return address >= region.address && address - region.address < region.size;
    });
  };
  const Region& code = layout.regions[0];
  std::vector<std::uint64_t> found;
  for (std::uint64_t block = 0; block < file.size(); block += ReferenceFinder::kBlockBytes) {
    const std::uint64_t begin = std::max(block, code.offset);
    const std::uint64_t end =
        std::min({block + ReferenceFinder::kBlockBytes, file.size(), code.offset + code.size});
    for (std::uint64_t p = begin; p + 5 <= end; ++p) {
      const auto target = [&](std::uint64_t at) {
        std::int32_t value = 0;
        std::memcpy(&value, file.data() + at, 4);
        return code.address + (at - code.offset) + 4 + static_cast<std::uint64_t>(value);
      };
      const std::uint8_t byte = file[p];
      const std::uint8_t before = p > begin ? file[p - 1] : 0;
      const bool operand =
          before == 0x01 || before == 0x80 || before == 0x85 || before == 0x8B || before == 0xFF;
      std::uint64_t at = 0;
      if (byte == 0xE8 || byte == 0xE9) {
        if (is_code(target(p + 1))) at = p + 1;
      } else if (byte == 0x0F && (file[p + 1] & 0xF0) == 0x80) {
        if (p + 6 <= end && is_code(target(p + 2))) at = p + 2;
      } else if ((byte & 0xC7) == 0x05 && operand) {
        const std::uint64_t where = target(p + 1);
        const auto& addresses = layout.addresses;
        if (where > addresses.lowest_address() && where < addresses.address_end()) at = p + 1;
      }
      if (at == 0) continue;
      found.push_back(at);
      p = at + 3;
    }
  }
  return found;
}

TEST(References, CodeIsScannedAsTheFormatSays) {
  constexpr std::array<std::uint8_t, 11> kBytes = {0xE8, 0xE9, 0x0F, 0x05, 0x3D, 0x8B,
                                                   0x80, 0x00, 0x01, 0xFF, 0x85};
  constexpr std::uint64_t kAddress = 1ULL << 32;
  Random random(11);
  std::size_t found = 0;
  for (unsigned round = 0; round < 60; ++round) {
    Bytes file(below(random, 3 * ReferenceFinder::kBlockBytes) + 6);
    for (auto& byte : file) byte = kBytes[below(random, kBytes.size())];
    const std::uint64_t offset = below(random, std::min<std::uint64_t>(file.size(), 100));
    const std::uint64_t size = file.size() - offset - below(random, file.size() - offset);
    ExecutableLayout layout;
    // A highest address that is not above the lowest one leaves nothing between them.
    const std::array<std::uint64_t, 4> ends = {kAddress + (1ULL << 28), kAddress, kAddress - 7, 0};
    layout.addresses = AddressMap({{kAddress, offset, size}}, ends[round % ends.size()]);
    layout.regions = {{RegionKind::code, offset, size, kAddress},
                      // Elsewhere in the file, so that half of all calls lead somewhere.
                      {RegionKind::code, 1 << 20, 1ULL << 31, kAddress + size}};
    const MemorySource source(file);
    const auto finder = ReferenceFinder::make(source, layout);
    ASSERT_TRUE(finder);
    std::vector<std::uint64_t> offsets;
    for (const auto& reference : all_references(file, *finder)) {
      EXPECT_EQ(reference.kind, ReferenceKind::from_end32);
      offsets.push_back(reference.offset);
    }
    EXPECT_EQ(offsets, references_as_specified(file, layout)) << "round " << round;
    found += offsets.size();
  }
  EXPECT_GT(found, 10'000U);
}

TEST(References, APointerLiesBelowTheHighestAddress) {
  Bytes words(64);
  for (std::size_t at = 0; at < words.size(); at += 8) words[at + 1] = 0x20;  // 0x2000
  for (const auto& [end, found] : {std::pair{0x2000U, 0U}, {0x2001U, 8U}, {0x1000U, 0U}}) {
    ExecutableLayout layout;
    layout.addresses = AddressMap({{0x2000, 0, words.size()}}, end);
    layout.regions = {{RegionKind::pointers, 0, words.size(), 0x2000}};
    const MemorySource source(words);
    const auto finder = ReferenceFinder::make(source, layout);
    ASSERT_TRUE(finder);
    EXPECT_EQ(all_references(words, *finder).size(), found) << end;
  }
}

TEST(References, ValueAndTargetAreInverse) {
  for (const auto kind :
       {ReferenceKind::absolute64, ReferenceKind::from_end32, ReferenceKind::from_here32,
        ReferenceKind::back_from_here, ReferenceKind::from_region32}) {
    const std::uint64_t here = 0x12345, base = 0x10000;
    for (const std::uint64_t target : {0x10ULL, 0x12345ULL, 0x12349ULL}) {
      if (kind == ReferenceKind::back_from_here && target > here) continue;
      const auto value = reference_value(kind, target, here, base);
      EXPECT_EQ(reference_target(kind, value, here, base), target);
    }
  }
}

TEST(References, DataThatIsNoProgramHasNone) {
  Random random(2);
  for (const std::size_t size : {0UL, 1UL, 63UL, 64UL, 100000UL}) {
    Bytes file = random_bytes(random, size);
    const MemorySource source(file);
    const auto finder = finder_for(source);
    ASSERT_TRUE(finder);
    EXPECT_TRUE(finder->layout().empty());
    EXPECT_TRUE(all_references(file, *finder).empty());
  }
}

TEST(References, AnyDamagedHeaderGivesSomeLayoutWithinTheFile) {
  const Bytes elf = Program(3, 30).link(0, 0), pe = Program(3, 30).link_pe(0, 0);
  Random random(3);
  for (int i = 0; i < 5000; ++i) {
    Bytes file = i % 2 == 0 ? elf : pe;
    // Either end of ELF files holds the headers, and the beginning of PE files.
    const std::size_t near = i % 2 == 1              ? below(random, 0x200)
                             : below(random, 2) == 0 ? below(random, 120)
                                                     : file.size() - 1 - below(random, 256);
    file[near] = static_cast<std::uint8_t>(random());
    const MemorySource source(file);
    const auto finder = finder_for(source);
    ASSERT_TRUE(finder);
    for (const auto& reference : all_references(file, *finder)) {
      ASSERT_LE(reference.offset + reference.width(), file.size());
    }
    ASSERT_EQ(masked(file, *finder).size(), file.size());
  }
}

TEST(References, AMovedFunctionLooksTheSameOnceMasked) {
  const Program program(4, 50);
  const Bytes before = program.link(0, 0), after = program.link(0, 64);
  const MemorySource old_source(before), new_source(after);
  const auto old_masked = masked(before, *finder_for(old_source));
  const auto new_masked = masked(after, *finder_for(new_source));
  EXPECT_TRUE(std::equal(old_masked.begin() + 0x1000, old_masked.begin() + 0x1800,
                         new_masked.begin() + 0x1000 + 64));
}

}  // namespace
}  // namespace shoal::delta
