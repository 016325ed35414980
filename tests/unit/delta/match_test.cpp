// What the matcher finds, against the plainest way of finding it; and content that repeats itself.
#include "delta/match.hpp"

#include <gtest/gtest.h>

#include "delta/suffix_search.hpp"
#include "samples.hpp"

namespace shoal::delta {
namespace {

using namespace test;

std::uint64_t longest_by_hand(ByteView bytes, ByteView text) {
  std::uint64_t longest = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::uint64_t size = 0;
    while (size < text.size() && at + size < bytes.size() && bytes[at + size] == text[size]) ++size;
    longest = std::max(longest, size);
  }
  return longest;
}

std::vector<Cover> match_all(const Bytes& old, const Bytes& fresh) {
  const std::vector<FileSpan> files = {{0, fresh.size(), false}};
  auto covers = match(old, fresh, files, {}, nullptr, {});
  EXPECT_TRUE(covers);
  return covers ? *covers : std::vector<Cover>{};
}

TEST(SuffixSearch, FindsTheLongestMatchOfAnyText) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    Bytes bytes = random_bytes(random, below(random, 300) + 1);
    for (auto& byte : bytes) byte &= round % 2 == 0 ? 3 : 255;  // few letters: long matches
    const SuffixSearch search(bytes);
    for (int i = 0; i < 20; ++i) {
      Bytes text = random_bytes(random, below(random, 12) + 2);
      for (auto& byte : text) byte &= round % 2 == 0 ? 3 : 255;
      const auto found = search.longest(text, 0);
      const auto expected = longest_by_hand(bytes, text);
      if (expected < 2) continue;  // a single byte is not worth finding
      ASSERT_EQ(found.size, expected);
      ASSERT_TRUE(std::equal(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(found.size),
                             bytes.begin() + static_cast<std::ptrdiff_t>(found.at)));
    }
  }
}

TEST(SuffixSearch, OfEquallyGoodPlacesTheWantedOneIsTaken) {
  Bytes bytes;
  for (int i = 0; i < 8; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(i));
    for (const char letter : std::string_view("record")) bytes.push_back(std::uint8_t(letter));
  }
  const SuffixSearch search(bytes);
  const auto found = search.longest(to_bytes("record"), 5 * 7 + 1);
  EXPECT_EQ(found.at, 5U * 7 + 1);
  EXPECT_EQ(found.size, 6U);
}

TEST(MatchRuns, FindsWhatMovedToItsLastByte) {
  Random random(2);
  const Bytes old = random_bytes(random, 100000);
  Bytes fresh = random_bytes(random, 333);
  fresh.insert(fresh.end(), old.begin() + 40001, old.begin() + 60002);
  const auto runs = match_runs(old, fresh, {});
  ASSERT_TRUE(runs);
  ASSERT_EQ(runs->size(), 1U);
  EXPECT_EQ(runs->front(), (Cover{40001, 333, 20001}));
}

TEST(Match, CoversAreInOrderAndWithinBothSides) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Bytes old = random_bytes(random, below(random, 30000) + 1);
    if (seed % 3 == 0) {
      for (auto& byte : old) byte &= 1;
    }
    const Bytes fresh = edited(random, old, 40);
    std::uint64_t end = 0;
    for (const auto& cover : match_all(old, fresh)) {
      EXPECT_GE(cover.new_begin, end);
      end = cover.new_end();
      EXPECT_LE(end, fresh.size());
      EXPECT_LE(cover.old_end(), old.size());
    }
  }
}

TEST(Match, OneInsertedByteCostsOneMoreCover) {
  Random random(3);
  const Bytes old = random_bytes(random, 3000);
  Bytes fresh = old;
  fresh.insert(fresh.begin() + 1500, 7);
  EXPECT_EQ(match_all(old, fresh).size(), 2U);
}

// Each of these would take minutes if any step were quadratic.
TEST(Match, RepeatedContentIsMatchedInReasonableTime) {
  constexpr std::size_t kSize = 1 << 20;
  Bytes zeros(kSize, 0), period(kSize), almost(kSize, 0);
  for (std::size_t i = 0; i < kSize; ++i) period[i] = static_cast<std::uint8_t>(i % 7);
  for (std::size_t i = 0; i < kSize; i += 100) almost[i] = static_cast<std::uint8_t>(i / 100);
  for (const Bytes* old : {&zeros, &period, &almost}) {
    for (const Bytes* fresh : {&zeros, &period, &almost}) match_all(*old, *fresh);
  }
}

}  // namespace
}  // namespace shoal::delta
