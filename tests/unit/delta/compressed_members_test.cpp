// What is compressed inside of files is matched by what it holds, and made again to the byte.
#include <zlib.h>

#include "base/worker_pool.hpp"
#include "delta/block.hpp"
#include "delta/members.hpp"
#include "round_trip.hpp"
#include "samples.hpp"

namespace shoal::delta {
namespace {

using namespace test;

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// Compresses to about a third, and not at all alike from seed to seed.
Bytes compressible(Random& random, std::size_t size) {
  Bytes bytes;
  while (bytes.size() < size) {
    const Bytes word = random_bytes(random, 8);
    for (int i = 0; i < 4; ++i) bytes.insert(bytes.end(), word.begin(), word.end());
  }
  bytes.resize(size);
  return bytes;
}

// `window_bits` as deflateInit2 takes them: 15 for zlib's own format, -15 raw, 31 gzip.
Bytes packed(const Bytes& plain, int level = 6, int window_bits = 15, int memory = 8,
             int strategy = Z_DEFAULT_STRATEGY) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, level, Z_DEFLATED, window_bits, memory, strategy), Z_OK);
  Bytes out(deflateBound(&stream, plain.size()) + 64);
  stream.next_in = const_cast<Bytef*>(plain.data());
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void append_little(Bytes& bytes, std::uint64_t value, unsigned width) {
  for (unsigned i = 0; i < width; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

// One entry of a zip archive. Streamed ones have their sum behind them (APPNOTE.TXT 4.3.9).
Bytes zip_entry(const Bytes& plain, bool streamed) {
  const Bytes stream = packed(plain, 9, -15);
  const auto sum = crc32(0, plain.data(), static_cast<uInt>(plain.size()));
  Bytes entry = {'P', 'K', 3, 4, 20, 0, static_cast<std::uint8_t>(streamed ? 8 : 0), 0, 8, 0};
  append_little(entry, 0, 4);  // time
  append_little(entry, streamed ? 0 : sum, 4);
  append_little(entry, streamed ? 0 : stream.size(), 4);
  append_little(entry, streamed ? 0 : plain.size(), 4);
  append_little(entry, 4, 2);
  append_little(entry, 0, 2);
  entry = entry + to_bytes("name") + stream;
  if (!streamed) return entry;
  entry = entry + Bytes{'P', 'K', 7, 8};
  append_little(entry, sum, 4);
  append_little(entry, stream.size(), 4);
  append_little(entry, plain.size(), 4);
  return entry;
}

std::vector<Member> members_of(const Bytes& file) {
  const auto found = find_members(file, {});
  EXPECT_TRUE(found);
  return found ? *found : std::vector<Member>{};
}

TEST(CompressedMembers, AreFoundInEveryContainer) {
  Random random(1);
  const Bytes noise = random_bytes(random, 3000);
  const Bytes plain = compressible(random, 5000);
  for (const Bytes& body :
       {packed(plain), packed(plain, 1), packed(plain, 9, 15, 9), packed(plain, 6, 31),
        zip_entry(plain, false), zip_entry(plain, true)}) {
    const auto members = members_of(noise + body + noise + body + noise);
    ASSERT_EQ(members.size(), 2U);
    EXPECT_EQ(members[0].plain_size, plain.size());
    EXPECT_GT(members[0].offset, noise.size());
    EXPECT_LE(members[0].end(), noise.size() + body.size());
  }
}

TEST(CompressedMembers, WhatIsCutOffOrDamagedOrTooLargeIsNone) {
  Random random(2);
  const Bytes plain = compressible(random, 5000);
  const Bytes body = packed(plain);
  EXPECT_TRUE(members_of({body.begin(), body.end() - 5}).empty());
  Bytes damaged = body;
  damaged.back() ^= 1;
  EXPECT_TRUE(members_of(damaged).empty());
  EXPECT_TRUE(members_of(packed(Bytes(kMaxMemberBytes + 1, 7))).empty());
  EXPECT_TRUE(members_of(random_bytes(random, 1 << 20)).empty());
}

TEST(CompressedMembers, OneEditInsideCostsLittleWhateverMadeIt) {
  Random random(3);
  const Bytes head = random_bytes(random, 500);
  const Bytes plain = compressible(random, 200'000);
  Bytes fresh = plain;
  fresh[1000] ^= 0x55;
  fresh.insert(fresh.begin() + 50'000, 17, std::uint8_t{9});
  for (const int level : {1, 3, 6, 9}) {
    for (const int memory : {8, 9}) {
      SCOPED_TRACE(testing::Message() << "level " << level << ", memory " << memory);
      const Files old_files = {head + packed(plain, level, 15, memory) + head};
      const Files new_files = {head + packed(fresh, level, 15, memory) + head};
      const auto made = make_delta(old_files, new_files);
      EXPECT_EQ(made.statistics.members, 1U);
      EXPECT_LT(made.delta.size(), 400U);
      expect_round_trip(old_files, new_files);
    }
  }
  const Files old_files = {zip_entry(plain, true) + packed(plain, 6, 15, 8, Z_FILTERED)};
  const Files new_files = {zip_entry(fresh, true) + packed(fresh, 6, 15, 8, Z_FILTERED)};
  EXPECT_EQ(make_delta(old_files, new_files).statistics.members, 2U);
  expect_round_trip(old_files, new_files);
}

// Fixed codes are a choice of the compressor that no level makes.
TEST(CompressedMembers, WhatCannotBeMadeAgainStaysClosed) {
  Random random(4);
  const Bytes plain = compressible(random, 50'000);
  const Files old_files = {packed(plain, 6, 15, 8, Z_FIXED)};
  const Files new_files = {packed(edited(random, plain, 3), 6, 15, 8, Z_FIXED)};
  EXPECT_EQ(make_delta(old_files, new_files).statistics.members, 0U);
  expect_round_trip(old_files, new_files);
}

TEST(CompressedMembers, ThoseThatStayOrMoveAreNotOpened) {
  Random random(5);
  const Bytes a = packed(compressible(random, 50'000)), b = packed(compressible(random, 50'000));
  const auto made = make_delta({a + b}, {b + to_bytes("between") + a});
  EXPECT_EQ(made.statistics.members, 0U);
  EXPECT_LT(made.delta.size(), 200U);
}

// As game updates are: assets edited, added, dropped and moved, some made from several old ones.
TEST(CompressedMembers, RandomPaksRoundTrip) {
  WorkerPool workers(2);
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Files assets;
    for (int i = 0; i < 12; ++i) {
      assets.push_back(compressible(random, 1000 + below(random, 60'000)));
    }
    const auto pak = [&](const Files& all) {
      Bytes bytes = random_bytes(random, 20);
      for (const auto& asset : all) {
        bytes = bytes + packed(asset, 1 + static_cast<int>(asset.size() % 9)) + Bytes(5, 0);
      }
      return bytes;
    };
    const Bytes old_pak = pak(assets);
    for (auto& asset : assets) {
      if (below(random, 2) == 0) asset = edited(random, asset, 5);
    }
    std::swap(assets[below(random, 12)], assets[below(random, 12)]);
    assets[below(random, 12)] = assets[below(random, 12)] + assets[below(random, 12)];
    if (seed == 1) assets.push_back(compressible(random, kWindowBytes + 5));
    expect_round_trip({old_pak, to_bytes("other")}, {to_bytes("more"), pak(assets)}, &workers);
  }
}

TEST(CompressedMembers, AnOldOneThatIsDamagedCostsWhatIsMadeFromIt) {
  Random random(6);
  const Bytes a = compressible(random, 50'000), b = compressible(random, 50'000);
  const Bytes separator = random_bytes(random, 200);
  const Files old_files = {packed(a) + separator + packed(b)};
  const Bytes new_a = packed(edited(random, a, 2)), new_b = packed(edited(random, b, 2));
  const Files new_files = {new_a + separator + new_b};
  const auto made = make_delta(old_files, new_files);
  ASSERT_EQ(made.statistics.members, 2U);
  Files damaged = old_files;
  std::fill_n(damaged[0].begin() + 1000, 100, std::uint8_t{0xFF});
  EXPECT_FALSE(apply_delta(damaged, sizes_of(new_files), made.delta));
  int left_out = 0;
  const auto applied = apply_delta(damaged, sizes_of(new_files), made.delta, nullptr,
                                   [&] { return ++left_out > 0; });
  ASSERT_TRUE(applied) << applied.error().describe();
  EXPECT_EQ(left_out, 1);
  const auto& is = applied->front();
  EXPECT_TRUE(std::ranges::equal(ByteView(is).subspan(new_a.size()),
                                 ByteView(new_files[0]).subspan(new_a.size())));
}

TEST(CompressedMembers, EveryFlippedOrMissingByteEndsSafely) {
  Random random(7);
  const Bytes plain = compressible(random, 3000);
  const Files old_files = {to_bytes("head") + packed(plain) + to_bytes("tail")};
  const Files new_files = {to_bytes("head") + packed(edited(random, plain, 2)) + to_bytes("tail")};
  const auto made = make_delta(old_files, new_files);
  ASSERT_EQ(made.statistics.members, 1U);
  const auto sizes = sizes_of(new_files);
  for (std::size_t at = 0; at < made.delta.size(); ++at) {
    EXPECT_FALSE(apply_delta(old_files, sizes, ByteView(made.delta).first(at))) << at;
    for (const std::uint8_t mask : {0x01, 0x10, 0x80, 0xFF}) {
      Bytes damaged = made.delta;
      damaged[at] ^= mask;
      const auto applied = apply_delta(old_files, sizes, damaged);
      if (!applied) {
        EXPECT_NE(applied.error().kind, ErrorKind::internal) << applied.error().describe();
      }
    }
  }
}

}  // namespace
}  // namespace shoal::delta
