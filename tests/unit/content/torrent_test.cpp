// Torrents equal libtorrent's byte for byte where it matters, and damaged ones are refused.
#include "content/torrent.hpp"

#include <gtest/gtest.h>

#include <libtorrent/bdecode.hpp>
#include <libtorrent/bencode.hpp>
#include <libtorrent/create_torrent.hpp>
#include <libtorrent/torrent_info.hpp>

#include "content/bencode.hpp"
#include "content/merkle.hpp"
#include "samples.hpp"
#include "support/temp_dir.hpp"

namespace shoal::content {
namespace {

TorrentInput input_of(const Bytes& image, std::uint32_t piece_size, bool hybrid) {
  TorrentInput input;
  input.name = "editor-1.0-base.image";
  input.image_size = image.size();
  input.piece_size = piece_size;
  for (std::size_t at = 0; at < image.size(); at += piece_size) {
    auto piece = ByteView(image).subspan(at, piece_size);
    input.piece_hashes.push_back(piece_hash(piece));
    if (hybrid) input.v1_piece_hashes.push_back(sha1(piece));
  }
  return input;
}

Bytes info_of(ByteView torrent) {
  auto value = parse_bencode(torrent).value();
  auto raw = value.find("info", BencodeValue::Type::dictionary)->raw;
  return {raw.begin(), raw.end()};
}

// What libtorrent makes of the image as a file on disk.
Bytes libtorrent_makes(const Bytes& image, std::uint32_t piece_size, bool hybrid) {
  shoal::test::TempDir folder;
  folder.write("editor-1.0-base.image", as_text(image));
  lt::file_storage files;
  lt::add_files(files, (folder / "editor-1.0-base.image").string());
  lt::create_torrent creator(files, static_cast<int>(piece_size),
                             hybrid ? lt::create_flags_t{} : lt::create_torrent::v2_only);
  lt::set_piece_hashes(creator, folder.path().string());
  std::vector<char> torrent;
  lt::bencode(std::back_inserter(torrent), creator.generate());
  return {torrent.begin(), torrent.end()};
}

struct Shape {
  std::uint32_t piece_size;
  std::size_t pieces;
};

TEST(Torrent, InfoDictionaryEqualsLibtorrentsByteForByte) {
  std::mt19937_64 random(3);
  for (Shape shape : {Shape{16384, 1}, Shape{16384, 2}, Shape{16384, 5}, Shape{65536, 1},
                      Shape{65536, 3}, Shape{65536, 16}, Shape{262144, 7}, Shape{4 << 20, 2}}) {
    Bytes image = test::random_bytes(random, shape.piece_size * shape.pieces);
    for (bool hybrid : {false, true}) {
      Bytes ours = make_torrent(input_of(image, shape.piece_size, hybrid));
      Bytes theirs = libtorrent_makes(image, shape.piece_size, hybrid);
      EXPECT_EQ(info_of(ours), info_of(theirs))
          << shape.pieces << " pieces of " << shape.piece_size << (hybrid ? " hybrid" : "");
      auto parsed = parse_torrent(theirs);
      ASSERT_TRUE(parsed) << parsed.error().describe();
      EXPECT_EQ(parsed->piece_hashes, parse_torrent(ours)->piece_hashes);
    }
  }
}

TEST(Torrent, LibtorrentReadsOursAndAgreesOnTheInfoHashes) {
  std::mt19937_64 random(4);
  for (std::size_t pieces : {1U, 3U}) {
    Bytes image = test::random_bytes(random, pieces * 65536);
    auto input = input_of(image, 65536, true);
    input.trackers = {"http://a.example/announce", "http://b.example/announce"};
    Bytes ours = make_torrent(input);
    lt::torrent_info theirs(lt::span<const char>(reinterpret_cast<const char*>(ours.data()),
                                                 static_cast<std::ptrdiff_t>(ours.size())),
                            lt::from_span);
    auto parsed = parse_torrent(ours);
    ASSERT_TRUE(parsed) << parsed.error().describe();
    EXPECT_EQ(theirs.info_hashes().v2.to_string(), as_text(parsed->info_hash.bytes));
    EXPECT_EQ(theirs.info_hashes().v1.to_string(), as_text(parsed->v1_info_hash.value()));
    EXPECT_EQ(theirs.trackers().size(), 2U);
    EXPECT_EQ(theirs.num_pieces(), static_cast<int>(pieces));
  }
}

TEST(Torrent, ComesBackAsItWasMade) {
  std::mt19937_64 random(5);
  auto input = input_of(test::random_bytes(random, 5 * 65536), 65536, false);
  input.trackers = {"http://a.example/announce", "http://b.example/announce"};
  auto parsed = parse_torrent(make_torrent(input));
  ASSERT_TRUE(parsed) << parsed.error().describe();
  EXPECT_EQ(parsed->name, input.name);
  EXPECT_EQ(parsed->image_size, input.image_size);
  EXPECT_EQ(parsed->piece_size, input.piece_size);
  EXPECT_EQ(parsed->piece_hashes, input.piece_hashes);
  EXPECT_EQ(parsed->trackers, input.trackers);
  EXPECT_FALSE(parsed->v1_info_hash);
}

TEST(Torrent, EveryTruncationIsRefusedAndNoFlippedByteChangesThePieces) {
  std::mt19937_64 random(6);
  auto input = input_of(test::random_bytes(random, 3 * 16384), 16384, true);
  input.trackers = {"http://a.example/announce"};
  Bytes good = make_torrent(input);
  auto original = parse_torrent(good).value();
  test::for_every_damage(
      good,
      [&](ByteView bytes) {
        auto parsed = parse_torrent(bytes);
        // The same info-hash stands for the same pieces, whatever else was changed.
        if (parsed && parsed->info_hash == original.info_hash) {
          EXPECT_EQ(parsed->piece_hashes, original.piece_hashes);
        }
        return parsed.has_value();
      },
      [](std::size_t length) { ADD_FAILURE() << "accepted a prefix of " << length; });
}

TEST(Torrent, OnlyV2TorrentsOfOneFileInWholePiecesAreTaken) {
  std::mt19937_64 random(8);
  Bytes image = test::random_bytes(random, 2 * 16384);
  auto with = [&](auto change) {
    auto input = input_of(image, 16384, false);
    change(input);
    return parse_torrent(make_torrent(input)).has_value();
  };
  EXPECT_TRUE(with([](auto&) {}));
  EXPECT_FALSE(with([](auto& input) { input.name = "a/b"; }));
  EXPECT_FALSE(with([](auto& input) { input.name = ".."; }));
  EXPECT_FALSE(with([](auto& input) { input.image_size += 1; }));
  EXPECT_FALSE(with([](auto& input) { input.v1_piece_hashes.resize(1); }));
  EXPECT_FALSE(with([](auto& input) { input.trackers = {std::string(10'000, 'a')}; }));
  EXPECT_FALSE(parse_torrent(as_bytes("d4:infod6:lengthi1e4:name1:aee")));
}

}  // namespace
}  // namespace shoal::content
