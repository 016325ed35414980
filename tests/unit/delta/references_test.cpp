// What is found in a program, and that it does not matter where one begins to look.
#include "delta/references.hpp"

#include <gtest/gtest.h>

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
  const Bytes good = Program(3, 30).link(0, 0);
  Random random(3);
  for (int i = 0; i < 3000; ++i) {
    Bytes file = good;
    // Either end holds the headers.
    const std::size_t near =
        below(random, 2) == 0 ? below(random, 120) : file.size() - 1 - below(random, 256);
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
