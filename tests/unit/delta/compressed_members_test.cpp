// What is compressed inside of files is matched by what it holds, and made again to the byte.
#include <zlib.h>

#include "base/worker_pool.hpp"
#include "delta/block.hpp"
#include "delta/members.hpp"
#include "delta/paged_inflate.hpp"
#include "delta/png_chunks.hpp"
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

void append_chunk(Bytes& png, std::string_view type, ByteView data) {
  const auto append_big = [&](std::uint64_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
      png.push_back(static_cast<std::uint8_t>(value >> shift));
  };
  append_big(data.size());
  const std::size_t begin = png.size();
  png.insert(png.end(), type.begin(), type.end());
  png.insert(png.end(), data.begin(), data.end());
  append_big(crc32(0, png.data() + begin, static_cast<uInt>(png.size() - begin)));
}

// A file with its image in chunks of `chunk` bytes; the first may have another size.
Bytes png_of(const Bytes& stream, std::size_t chunk, std::size_t first = 0) {
  Bytes png = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  append_chunk(png, "IHDR", Bytes(13, 1));
  ByteView rest = stream;
  for (std::size_t size = first == 0 ? chunk : first; !rest.empty(); size = chunk) {
    const auto data = rest.first(std::min(rest.size(), size));
    append_chunk(png, "IDAT", data);
    rest = rest.subspan(data.size());
  }
  append_chunk(png, "IEND", {});
  return png;
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
        zip_entry(plain, false), zip_entry(plain, true), png_of(packed(plain, 9, 12), 1 << 20),
        png_of(packed(plain), 500), png_of(packed(plain), 8192, 70)}) {
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

// As image libraries write them: windows by the image's size, filtered, and in chunks of 8 KiB.
TEST(CompressedMembers, OneEditInsideAPngCostsLittle) {
  Random random(13);
  Bytes plain = compressible(random, 150'000);
  for (auto& byte : plain) byte &= 0x0F;  // so that Huffman's codes alone make it shorter
  for (std::size_t i = 0; i < plain.size(); i += 400) std::fill_n(plain.begin() + i, 100, plain[i]);
  Bytes fresh = plain;
  fresh[70'000] ^= 0x55;
  for (const int window : {9, 12, 15}) {
    for (const int strategy : {Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE}) {
      for (const std::size_t chunk : {512, 8192, 1 << 20}) {
        SCOPED_TRACE(testing::Message() << window << " " << strategy << " " << chunk);
        const Files old_files = {png_of(packed(plain, 9, window, 9, strategy), chunk)};
        const Files new_files = {png_of(packed(fresh, 9, window, 9, strategy), chunk)};
        const auto made = make_delta(old_files, new_files);
        EXPECT_EQ(made.statistics.members, 1U);
        EXPECT_LT(made.delta.size(), 400U);
        expect_round_trip(old_files, new_files);
      }
    }
  }
}

TEST(CompressedMembers, PngChunksOfAnySizesAreMadeFromAndOthersStayClosed) {
  Random random(14);
  const Bytes plain = compressible(random, 60'000);
  const Bytes stream = packed(plain), changed = packed(edited(random, plain, 2));
  const Files even = {png_of(changed, 4096)}, uneven = {png_of(changed, 4096, 100)};
  EXPECT_EQ(make_delta({png_of(stream, 1000, 77)}, even).statistics.members, 1U);
  expect_round_trip({png_of(stream, 1000, 77)}, even);
  EXPECT_EQ(make_delta({png_of(stream, 4096)}, uneven).statistics.members, 0U);
  expect_round_trip({png_of(stream, 4096)}, uneven);
  Files wrong_sum = even;
  wrong_sum[0][8 + 25 + 8 + 4096] ^= 1;  // behind signature, IHDR, and a chunk's head and data
  EXPECT_EQ(make_delta({png_of(stream, 4096)}, wrong_sum).statistics.members, 0U);
  expect_round_trip({png_of(stream, 4096)}, wrong_sum);
}

// More than a decoder has in memory, made from places all over the old one.
TEST(CompressedMembers, LargeOnesAreReadPageByPage) {
  Random random(15);
  const Bytes plain = compressible(random, 7 * kWindowBytes + 12'345);
  Bytes fresh(plain.begin() + 5'000'000, plain.end());
  fresh.insert(fresh.end(), plain.begin(), plain.begin() + 3'000'000);
  fresh.insert(fresh.end(), plain.begin() + 6'000'000, plain.end());
  fresh[2'000'000] ^= 1;
  const Files old_files = {packed(plain)}, new_files = {packed(fresh)};
  const auto made = make_delta(old_files, new_files);
  EXPECT_EQ(made.statistics.members, 1U);
  EXPECT_LT(made.delta.size(), 1000U);
  expect_round_trip(old_files, new_files);
  expect_round_trip({png_of(packed(plain), 8192)}, {png_of(packed(fresh), 8192)});
}

// Rows in another order: a decoder that inflated a page for each would take minutes.
TEST(CompressedMembers, LargeOnesThatWereShuffledDoNotSendTheDecoderBackAndForth) {
  Random random(18);
  std::vector<Bytes> rows;
  rows.reserve(12'000);
  for (int i = 0; i < 12'000; ++i) rows.push_back(compressible(random, 500));
  const auto joined = [&] {
    Bytes bytes;
    for (const auto& row : rows) bytes.insert(bytes.end(), row.begin(), row.end());
    return bytes;
  };
  const Files old_files = {packed(joined(), 1)};
  std::shuffle(rows.begin(), rows.end(), random);
  const Files new_files = {packed(joined(), 1)};
  EXPECT_EQ(make_delta(old_files, new_files).statistics.members, 1U);
  expect_round_trip(old_files, new_files);
}

TEST(PagedInflater, GivesAnyPageInAnyOrder) {
  Random random(16);
  constexpr std::uint64_t kPage = PagedInflater::kPageBytes;
  for (const std::uint64_t size : {std::uint64_t{1}, kPage - 1, kPage, kPage + 1, 5 * kPage + 99}) {
    SCOPED_TRACE(size);
    const Bytes plain = compressible(random, size);
    const Bytes stream = to_bytes("before") + packed(plain, 1, -15) + to_bytes("behind");
    const MemorySource source(stream);
    PagedInflater inflater(source, 6, stream.size() - 6, size);
    const std::uint64_t pages = (size + kPage - 1) / kPage;
    for (int i = 0; i < 12; ++i) {
      const std::uint64_t page = i == 0 ? pages - 1 : below(random, pages);
      Bytes out(inflater.page_size(page));
      ASSERT_TRUE(inflater.read(page, out));
      EXPECT_TRUE(std::ranges::equal(out, ByteView(plain).subspan(page * kPage, out.size())));
    }
  }
}

TEST(PagedInflater, AStreamThatHoldsSomethingElseIsAnError) {
  Random random(17);
  constexpr std::uint64_t kPage = PagedInflater::kPageBytes;
  const Bytes plain = compressible(random, kPage + 1000);
  const Bytes stream = packed(plain, 6, -15);
  const MemorySource source(stream);
  const auto reads = [&](std::uint64_t end, std::uint64_t plain_size) {
    PagedInflater inflater(source, 0, end, plain_size);
    const std::uint64_t last = (plain_size - 1) / kPage;
    Bytes out(inflater.page_size(last));
    return inflater.read(last, out).has_value();
  };
  EXPECT_TRUE(reads(stream.size(), plain.size()));
  EXPECT_FALSE(reads(stream.size() - 1, plain.size()));
  EXPECT_FALSE(reads(stream.size(), plain.size() - 1));
  EXPECT_FALSE(reads(stream.size(), plain.size() + 1));
  EXPECT_FALSE(reads(stream.size(), kPage));
  EXPECT_FALSE(reads(stream.size(), 3 * kPage));
}

TEST(PngRowWriter, TakesExactlyTheSizesThatRowsHave) {
  for (std::uint32_t chunk = 1; chunk < 40; ++chunk) {
    std::vector<bool> possible(400);
    for (std::uint64_t stream = 7; stream < 400; ++stream) {
      const std::uint64_t row = stream + (stream + chunk - 1) / chunk * kPngChunkExtra;
      if (row < possible.size()) possible[row] = true;
    }
    for (std::uint64_t row = 0; row < possible.size(); ++row) {
      ASSERT_EQ(PngRowWriter::is_valid(chunk, row), possible[row]) << chunk << " " << row;
    }
  }
  EXPECT_FALSE(PngRowWriter::is_valid(0, 100));
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
  const Bytes plain = compressible(random, 3000), fresh = edited(random, plain, 2);
  const Files old_files = {to_bytes("head") + packed(plain) + png_of(packed(plain, 9), 200)};
  const Files new_files = {to_bytes("head") + packed(fresh) + png_of(packed(fresh, 9), 200)};
  const auto made = make_delta(old_files, new_files);
  ASSERT_EQ(made.statistics.members, 2U);
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
