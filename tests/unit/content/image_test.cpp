// The layout rule, as properties of seeded random trees, and the map from image ranges to files.
#include "content/image.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "samples.hpp"

namespace shoal::content {
namespace {

using test::file;

constexpr std::uint32_t kPiece = 64 * 1024;

std::vector<FileEntry> random_tree(std::mt19937_64& random, std::size_t count) {
  std::map<std::string, FileEntry> tree;
  while (tree.size() < count) {
    std::string name = "d" + std::to_string(random() % 7) + "/f" + std::to_string(random() % 99999);
    std::uint64_t size = random() % 4 == 0 ? random() % (5 * kPiece) : random() % 9000;
    tree.emplace(name, file(name, size));
  }
  std::vector<FileEntry> files;
  for (auto& [name, entry] : tree) files.push_back(entry);
  return files;
}

// What each piece holds: which files, from where in them.
using PieceContents = std::set<std::vector<std::tuple<std::string, std::uint64_t, std::uint64_t>>>;
PieceContents pieces_of(const Release& release) {
  const Component& component = release.components[0];
  ImageMap map(component);
  PieceContents pieces;
  for (std::uint32_t i = 0; i < map.piece_count(); ++i) {
    std::vector<std::tuple<std::string, std::uint64_t, std::uint64_t>> one;
    for (const Extent& extent : map.extents(std::uint64_t{i} * kPiece, kPiece))
      one.emplace_back(component.files[extent.file.value()].path.text(), extent.file_offset,
                       extent.image_offset % kPiece);
    pieces.insert(one);
  }
  return pieces;
}

TEST(PieceSize, GivesAboutFourThousandPiecesWithinItsBounds) {
  EXPECT_EQ(choose_piece_size(0), 64U * 1024);
  EXPECT_EQ(choose_piece_size(100'000'000), 64U * 1024);
  EXPECT_EQ(choose_piece_size(1ULL << 30), 256U * 1024);
  EXPECT_EQ(choose_piece_size(1ULL << 40), 4U << 20);
}

TEST(Layout, EmptyTreeHasAnEmptyImage) {
  std::vector<FileEntry> files{file("a", 0), file("b", 0)};
  EXPECT_EQ(lay_out(files, kPiece), 0U);
}

TEST(Layout, SmallFilesLieEndToEndAndLargeOnesOnPieceBoundaries) {
  // Large is from half a piece on.
  std::vector<FileEntry> files{file("a", 10),        file("b", 20), file("c", kPiece / 2),
                               file("d", 0),         file("e", 1),  file("f", kPiece / 2 - 1),
                               file("g", kPiece * 2)};
  std::uint64_t size = lay_out(files, kPiece);
  EXPECT_EQ(files[0].offset, 0U);
  EXPECT_EQ(files[1].offset, 10U);
  EXPECT_EQ(files[2].offset, kPiece);
  EXPECT_EQ(files[3].offset, 0U);
  EXPECT_EQ(files[4].offset, 2U * kPiece) << "a large file ends the running group";
  EXPECT_EQ(files[6].offset % kPiece, 0U);
  EXPECT_EQ(size, files[6].offset + 2 * kPiece);
}

TEST(Layout, RandomTreesNeverOverlapAndFillWholePieces) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 30; ++round) {
    auto files = random_tree(random, 300);
    std::uint64_t size = lay_out(files, kPiece);
    EXPECT_EQ(size % kPiece, 0U);
    std::uint64_t end = 0;
    for (const auto& entry : files) {
      if (entry.size == 0) continue;
      EXPECT_GE(entry.offset, end);
      if (entry.size >= kPiece / 2) {
        EXPECT_EQ(entry.offset % kPiece, 0U);
      }
      end = entry.offset + entry.size;
    }
    EXPECT_LE(end, size);
    EXPECT_LT(size - end, kPiece);
  }
}

TEST(Layout, GroupsOfSmallFilesAverageAboutEightPieces) {
  std::vector<FileEntry> files;
  for (int i = 0; i < 40'000; ++i) files.push_back(file("f" + std::to_string(i), 4000));
  std::sort(files.begin(), files.end(), [](auto& a, auto& b) { return a.path < b.path; });
  std::uint64_t size = lay_out(files, kPiece);
  int groups = 0;
  std::uint64_t end = 0;
  for (const auto& entry : files) {
    if (entry.offset % kPiece == 0 && (end % kPiece != 0 || entry.offset == 0)) ++groups;
    end = entry.offset + entry.size;
  }
  double average = static_cast<double>(size) / kPiece / groups;
  EXPECT_GT(average, 6.0);
  EXPECT_LT(average, 11.0);
}

TEST(Layout, OneSmallFileMoreDisturbsOnlyTheGroupItJoins) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 20; ++round) {
    auto files = random_tree(random, 600);
    auto more = files;
    more.push_back(file("d3/new-" + std::to_string(round), 3000));
    std::sort(more.begin(), more.end(), [](auto& a, auto& b) { return a.path < b.path; });
    auto before = pieces_of(test::release_of(files, kPiece));
    auto after = pieces_of(test::release_of(more, kPiece));
    std::vector<PieceContents::value_type> fresh;
    std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                        std::back_inserter(fresh));
    // A group may be several times the average of 8; a layout that moved all would be hundreds.
    EXPECT_GE(fresh.size(), 1U);
    EXPECT_LE(fresh.size(), 40U) << "of " << after.size();
    EXPECT_GT(after.size(), 150U);
  }
}

TEST(ImageMap, ExtentsCoverEveryFileByteOnceAndNothingElse) {
  std::mt19937_64 random(13);
  auto release = test::release_of(random_tree(random, 200), kPiece);
  const Component& component = release.components[0];
  ImageMap map(component);
  for (std::uint64_t step : {1000ULL, 16384ULL, 65536ULL, 1'000'000ULL}) {
    std::vector<std::uint64_t> seen(component.files.size(), 0);
    for (std::uint64_t at = 0; at < component.content.image_size; at += step) {
      std::uint64_t last = at;
      for (const Extent& extent : map.extents(at, step)) {
        EXPECT_GE(extent.image_offset, last);
        last = extent.image_offset + extent.length;
        EXPECT_LE(last, at + step);
        auto& so_far = seen[extent.file.value()];
        EXPECT_EQ(extent.file_offset, so_far) << "in order and without holes";
        EXPECT_EQ(extent.image_offset - extent.file_offset,
                  component.files[extent.file.value()].offset);
        so_far += extent.length;
      }
    }
    for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], component.files[i].size);
  }
}

TEST(ImageMap, KnowsGapsPayloadAndThePiecesOfAFile) {
  auto release = test::release_of({file("a", 10), file("b", kPiece + 1), file("c", 0)}, kPiece);
  ImageMap map(release.components[0]);
  EXPECT_EQ(map.piece_count(), 3U);
  EXPECT_EQ(map.blocks_per_piece(), 4U);
  EXPECT_FALSE(map.is_gap_block(0));
  EXPECT_TRUE(map.is_gap_block(1));
  EXPECT_FALSE(map.is_gap_block(4));
  EXPECT_FALSE(map.is_gap_block(8));
  EXPECT_TRUE(map.is_gap_block(9));
  EXPECT_EQ(map.payload_bytes(PieceIndex(0)), 10U);
  EXPECT_EQ(map.payload_bytes(PieceIndex(1)), kPiece);
  EXPECT_EQ(map.payload_bytes(PieceIndex(2)), 1U);
  EXPECT_EQ(map.pieces_of(FileIndex(1)), std::pair(PieceIndex(1), PieceIndex(2)));
  EXPECT_TRUE(map.extents(10, 100).empty());
  EXPECT_TRUE(map.extents(1'000'000'000, 100).empty());
}

}  // namespace
}  // namespace shoal::content
