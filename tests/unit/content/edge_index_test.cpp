// The edge index and its frames: round trips, and bytes that lie.
#include "content/edge_index.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

#include "samples.hpp"

namespace shoal::content {
namespace {

EdgeIndex sample(std::mt19937_64& random, std::size_t pieces) {
  EdgeIndex index;
  index.piece_size = 128 * 1024;
  index.frame_size = 64 * 1024;
  for (int i = 0; i < 3; ++i) {
    index.bundles.push_back(sha256(test::random_bytes(random, 8)));
    index.bundle_sizes.push_back(1'000'000 + random() % 1000);
  }
  for (std::size_t i = 0; i < pieces; ++i) {
    PieceLocation piece;
    piece.bundle = static_cast<std::uint32_t>(random() % 3);
    piece.offset = random() % 800'000;
    piece.frames = {{static_cast<std::uint32_t>(1 + random() % 65535), true}, {64 * 1024, false}};
    index.pieces.push_back(piece);
  }
  return index;
}

void expect_equal(const EdgeIndex& a, const EdgeIndex& b) {
  EXPECT_EQ(a.piece_size, b.piece_size);
  EXPECT_EQ(a.frame_size, b.frame_size);
  EXPECT_EQ(a.bundles, b.bundles);
  EXPECT_EQ(a.bundle_sizes, b.bundle_sizes);
  ASSERT_EQ(a.pieces.size(), b.pieces.size());
  for (std::size_t i = 0; i < a.pieces.size(); ++i) {
    EXPECT_EQ(a.pieces[i].bundle, b.pieces[i].bundle);
    EXPECT_EQ(a.pieces[i].offset, b.pieces[i].offset);
    ASSERT_EQ(a.pieces[i].frames.size(), b.pieces[i].frames.size());
    for (std::size_t k = 0; k < a.pieces[i].frames.size(); ++k) {
      EXPECT_EQ(a.pieces[i].frames[k].stored_size, b.pieces[i].frames[k].stored_size);
      EXPECT_EQ(a.pieces[i].frames[k].compressed, b.pieces[i].frames[k].compressed);
    }
  }
}

// Everything a user of the index relies on.
bool is_valid(const EdgeIndex& index) {
  for (const auto& piece : index.pieces) {
    if (piece.frames.size() != index.frames_per_piece()) return false;
    if (piece.bundle >= index.bundles.size()) return false;
    if (piece.offset + piece.stored_bytes() > index.bundle_sizes[piece.bundle]) return false;
  }
  return index.bundles.size() == index.bundle_sizes.size();
}

TEST(EdgeIndex, ComesBackAsItWasWritten) {
  std::mt19937_64 random(1);
  for (std::size_t pieces : {0U, 1U, 2U, 500U}) {
    EdgeIndex index = sample(random, pieces);
    auto parsed = parse_edge_index(format_edge_index(index));
    ASSERT_TRUE(parsed) << parsed.error().describe();
    expect_equal(*parsed, index);
  }
}

TEST(EdgeIndex, NeighboursCostTwoBytesAPieceBesideTheirFrames) {
  std::mt19937_64 random(2);
  EdgeIndex index = sample(random, 0);
  std::uint64_t offset = 0;
  for (int i = 0; i < 20; ++i) {
    PieceLocation piece{0, offset, {{20'000, true}, {20'000, true}}};
    offset += piece.stored_bytes();
    index.pieces.push_back(piece);
  }
  EXPECT_LT(format_edge_index(index).size(), 10 + 8 + 3 * 36 + 20 * (2 + 2 * 3));
}

TEST(EdgeIndex, EveryTruncationIsRefusedAndNoFlippedByteGivesAnInvalidIndex) {
  std::mt19937_64 random(3);
  Bytes good = format_edge_index(sample(random, 20));
  test::for_every_damage(
      good,
      [](ByteView bytes) {
        auto parsed = parse_edge_index(bytes);
        if (parsed) {
          EXPECT_TRUE(is_valid(*parsed));
        }
        return parsed.has_value();
      },
      [](std::size_t length) { ADD_FAILURE() << "accepted a prefix of " << length; });
}

TEST(EdgeIndex, PiecesThatLeaveTheirBundleAreRefused) {
  std::mt19937_64 random(4);
  auto refused = [&](auto change) {
    EdgeIndex index = sample(random, 2);
    change(index);
    return !parse_edge_index(format_edge_index(index));
  };
  EXPECT_FALSE(refused([](EdgeIndex&) {}));
  EXPECT_TRUE(refused([](EdgeIndex& i) { i.pieces[0].offset = i.bundle_sizes[0] - 65'536; }));
  EXPECT_TRUE(refused([](EdgeIndex& i) { i.pieces[0].offset = 1ULL << 62; }));
  EXPECT_TRUE(refused([](EdgeIndex& i) { i.pieces[0].bundle = 3; }));
  EXPECT_TRUE(refused([](EdgeIndex& i) { i.pieces[1].bundle = 0xffffffff; }));
  EXPECT_TRUE(refused([](EdgeIndex& i) { i.pieces[0].frames[0].stored_size = 0; }));
  EXPECT_TRUE(refused([](EdgeIndex& i) { i.pieces[0].frames[0].stored_size = 65'536; }));
  EXPECT_TRUE(refused([](EdgeIndex& i) { i.pieces[0].frames[1].stored_size = 65'535; }));
  EXPECT_TRUE(refused([](EdgeIndex& i) { i.bundle_sizes[0] = kMaxBundleBytes + 1; }));
  EXPECT_TRUE(refused([](EdgeIndex& i) { i.piece_size = 128 * 1024 + 1; }));
}

TEST(EdgeIndex, ADecompressionBombIsRefusedBeforeItIsUnpacked) {
  Bytes zeros(kMaxEdgeIndexBytes + 1);
  Bytes bomb = to_bytes("SHOALIDX\x01\x01");
  std::size_t head = bomb.size();
  bomb.resize(head + ZSTD_compressBound(zeros.size()));
  bomb.resize(head +
              ZSTD_compress(bomb.data() + head, bomb.size() - head, zeros.data(), zeros.size(), 1));
  auto parsed = parse_edge_index(bomb);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, ErrorKind::too_large);
}

TEST(EdgeIndex, NewerVersionIsNamedAsSuch) {
  auto parsed = parse_edge_index(as_bytes("SHOALIDX\x02..."));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, ErrorKind::unsupported_version);
}

TEST(EdgeIndex, BundlesLieInFoldersOfTheirFirstTwoDigits) {
  Digest name;
  name.bytes[0] = 0xab;
  EXPECT_EQ(bundle_path(name), "bundles/ab/ab" + std::string(62, '0'));
}

TEST(Frames, ComeBackWhateverTheyHold) {
  std::mt19937_64 random(5);
  Bytes noise = test::random_bytes(random, 65'536);
  Bytes zeros(65'536);
  Bytes mixed = noise;
  std::fill(mixed.begin(), mixed.begin() + 40'000, std::uint8_t{7});
  for (const Bytes* plain : {&noise, &zeros, &mixed}) {
    StoredFrame stored = compress_frame(*plain, 0);
    EXPECT_EQ(stored.bytes.size(), stored.frame.stored_size);
    EXPECT_EQ(stored.frame.compressed, plain != &noise);
    EXPECT_LE(stored.bytes.size(), plain->size());
    Bytes out(plain->size());
    ASSERT_TRUE(decompress_frame(stored.frame, stored.bytes, out));
    EXPECT_EQ(out, *plain);
  }
}

TEST(Frames, DamagedOnesNeverWriteBeyondTheirPlace) {
  std::mt19937_64 random(6);
  Bytes plain(20'000);
  for (auto& byte : plain) byte = static_cast<std::uint8_t>(random() % 3);
  StoredFrame stored = compress_frame(plain, 3);
  ASSERT_TRUE(stored.frame.compressed);
  for (int round = 0; round < 5000; ++round) {
    Bytes damaged = stored.bytes;
    for (int i = 0; i < 1 + round % 4; ++i)
      damaged[random() % std::min<std::size_t>(damaged.size(), 40 + random() % 1000)] ^=
          static_cast<std::uint8_t>(1 + random() % 255);
    // The address sanitizer watches the ends; the guard does so without it.
    Bytes out(plain.size() + 64, 0xee);
    auto ignored =
        decompress_frame(stored.frame, damaged, MutableByteView(out).first(plain.size()));
    (void)ignored;
    for (std::size_t i = plain.size(); i < out.size(); ++i) ASSERT_EQ(out[i], 0xee);
  }
}

TEST(Frames, SizesThatDoNotMatchAreRefused) {
  Bytes plain(20'000, 1);
  StoredFrame stored = compress_frame(plain, 3);
  Bytes shorter(19'999);
  Bytes longer(20'001);
  EXPECT_FALSE(decompress_frame(stored.frame, stored.bytes, shorter));
  EXPECT_FALSE(decompress_frame(stored.frame, stored.bytes, longer));
  Bytes two = stored.bytes;
  two.insert(two.end(), stored.bytes.begin(), stored.bytes.end());
  Bytes out(20'000);
  EXPECT_FALSE(decompress_frame(stored.frame, two, out)) << "not the size the index states";
  Frame twice{static_cast<std::uint32_t>(two.size()), true};
  EXPECT_FALSE(decompress_frame(twice, two, out)) << "two frames";
  EXPECT_FALSE(decompress_frame({10, false}, ByteView(plain).first(10), out));
  EXPECT_FALSE(decompress_frame({0, true}, {}, out));
}

}  // namespace
}  // namespace shoal::content
