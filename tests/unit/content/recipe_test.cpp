// Chunks depend on the bytes alone, survive insertions, and recipes survive damage.
#include "content/recipe.hpp"

#include <gtest/gtest.h>

#include <set>

#include "samples.hpp"

namespace shoal::content {
namespace {

std::vector<Chunk> chunks_of(ByteView bytes, std::size_t step = SIZE_MAX) {
  std::vector<Chunk> chunks;
  Chunker chunker([&](const Chunk& chunk) { chunks.push_back(chunk); });
  for (std::size_t at = 0; at < bytes.size(); at += std::min(step, bytes.size() - at))
    chunker.update(bytes.subspan(at, std::min(step, bytes.size() - at)));
  chunker.finish();
  return chunks;
}

bool operator==(const Chunk& a, const Chunk& b) { return a.id == b.id && a.length == b.length; }

bool equal(const std::vector<Chunk>& a, const std::vector<Chunk>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Chunk& x, const Chunk& y) { return x == y; });
}

TEST(Chunker, ChunksCoverTheBytesAndAreNamedByThem) {
  std::mt19937_64 random(1);
  Bytes bytes = test::random_bytes(random, 3'000'000);
  auto chunks = chunks_of(bytes);
  std::size_t at = 0;
  for (const Chunk& chunk : chunks) {
    EXPECT_EQ(chunk.id, chunk_id(ByteView(bytes).subspan(at, chunk.length)));
    at += chunk.length;
    EXPECT_LE(chunk.length, kChunkMax);
    if (at < bytes.size()) {
      EXPECT_GE(chunk.length, kChunkMin);
    }
  }
  EXPECT_EQ(at, bytes.size());
  double average = static_cast<double>(bytes.size()) / static_cast<double>(chunks.size());
  EXPECT_GT(average, kChunkAverage * 0.8);
  EXPECT_LT(average, kChunkAverage * 1.4);
}

TEST(Chunker, DoesNotCareHowItIsFed) {
  std::mt19937_64 random(2);
  Bytes bytes = test::random_bytes(random, 400'000);
  std::fill(bytes.begin() + 150'000, bytes.begin() + 300'000, std::uint8_t{0});
  auto whole = chunks_of(bytes);
  for (std::size_t step : {1U, 7U, 4095U, 4096U, 4097U, 16384U, 65536U, 100'001U})
    EXPECT_TRUE(equal(chunks_of(bytes, step), whole)) << "by " << step;
  for (int round = 0; round < 20; ++round) {
    std::vector<Chunk> chunks;
    Chunker chunker([&](const Chunk& chunk) { chunks.push_back(chunk); });
    for (std::size_t at = 0; at < bytes.size();) {
      std::size_t step = std::min<std::size_t>(random() % 70'000, bytes.size() - at);
      chunker.update(ByteView(bytes).subspan(at, step));
      at += step;
    }
    chunker.finish();
    EXPECT_TRUE(equal(chunks, whole)) << "round " << round;
  }
}

TEST(Chunker, CutsOfAKnownStreamStayWhereTheyAre) {
  // Publishers must agree across versions, or nothing is reused. The bytes are a fixed sequence.
  Bytes bytes(200'000);
  std::uint64_t state = 1;
  for (auto& byte : bytes) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<std::uint8_t>(state >> 56);
  }
  std::vector<std::uint32_t> lengths;
  for (const Chunk& chunk : chunks_of(bytes)) lengths.push_back(chunk.length);
  EXPECT_EQ(lengths, (std::vector<std::uint32_t>{16865, 17467, 19945, 19380, 19691, 18755, 17452,
                                                 25988, 17021, 19339, 4326, 3771}));
}

TEST(Chunker, BytesInsertedAtTheFrontChangeOnlyTheFirstChunks) {
  std::mt19937_64 random(3);
  Bytes bytes = test::random_bytes(random, 2'000'000);
  Bytes longer = to_bytes("something new at the front");
  longer.insert(longer.end(), bytes.begin(), bytes.end());
  std::set<ChunkId> before;
  for (const Chunk& chunk : chunks_of(bytes)) before.insert(chunk.id);
  std::size_t fresh = 0;
  for (const Chunk& chunk : chunks_of(longer)) fresh += before.contains(chunk.id) ? 0 : 1;
  EXPECT_LE(fresh, 3U);
}

TEST(Chunker, NothingGivesNoChunksAndFinishStartsAnew) {
  EXPECT_TRUE(chunks_of({}).empty());
  std::vector<Chunk> chunks;
  Chunker chunker([&](const Chunk& chunk) { chunks.push_back(chunk); });
  for (int i = 0; i < 2; ++i) {
    chunker.update(as_bytes("abc"));
    chunker.update(as_bytes("def"));
    chunker.finish();
  }
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(chunks[0].id, chunks[1].id);
  EXPECT_EQ(chunks[0].id, chunk_id(as_bytes("abcdef")));
}

Recipes sample(std::mt19937_64& random) {
  Recipes recipes;
  for (std::size_t size : {0U, 1U, 100'000U, 3U}) {
    recipes.files.push_back(chunks_of(test::random_bytes(random, size)));
  }
  return recipes;
}

TEST(Recipes, ComeBackAsTheyWereWritten) {
  std::mt19937_64 random(4);
  Recipes recipes = sample(random);
  auto parsed = parse_recipes(format_recipes(recipes));
  ASSERT_TRUE(parsed) << parsed.error().describe();
  ASSERT_EQ(parsed->files.size(), recipes.files.size());
  for (std::size_t i = 0; i < recipes.files.size(); ++i)
    EXPECT_TRUE(equal(parsed->files[i], recipes.files[i]));
  EXPECT_TRUE(parse_recipes(format_recipes({}))->files.empty());
}

TEST(Recipes, EveryTruncationIsRefusedAndNoFlippedByteGivesAnImpossibleChunk) {
  std::mt19937_64 random(5);
  Bytes good = format_recipes(sample(random));
  test::for_every_damage(
      good,
      [](ByteView bytes) {
        auto parsed = parse_recipes(bytes);
        if (parsed) {
          for (const auto& chunks : parsed->files)
            for (const Chunk& chunk : chunks) EXPECT_LE(chunk.length - 1, kChunkMax - 1);
        }
        return parsed.has_value();
      },
      [](std::size_t length) { ADD_FAILURE() << "accepted a prefix of " << length; });
}

TEST(Recipes, CountsThatTheBytesCannotHoldAreRefusedBeforeAllocating) {
  // 2^40 files; one file of 2^40 chunks.
  for (std::string body : {std::string("\x80\x80\x80\x80\x80\x20", 6),
                           std::string("\x01\x80\x80\x80\x80\x80\x20", 7)}) {
    std::string bytes = std::string("SHOALRCP\x01\x00", 10) + body;
    EXPECT_FALSE(parse_recipes(as_bytes(bytes)));
  }
}

}  // namespace
}  // namespace shoal::content
