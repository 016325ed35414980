// Deltas after the commit: moved, moved back, removed, whatever else stands in their folder.
#include "install/kept_delta.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "install/delta_file.hpp"
#include "support/temp_dir.hpp"

namespace shoal::install {
namespace {

struct KeptDelta : testing::Test {
  test::TempDir folder;
  BeneathDir library = *BeneathDir::open(folder.path());
  const KeptPlace base{"game", "2", "base"}, voices{"game", "2", "voices"};

  std::filesystem::path staged(const std::string& component) const {
    return folder / (".shoal/staging/c/@" + component + "/delta");
  }
  std::filesystem::path kept(const KeptPlace& place) const {
    return folder / (".shoal/kept/" + place.product + "/" + place.version + "/" + place.component +
                     "/delta");
  }
  void stage(const std::string& component) {
    folder.write(".shoal/staging/c/@" + component + "/delta", component);
  }
  void keep(const KeptPlace& place) {
    stage(place.component);
    ASSERT_TRUE(keep_delta(library, "c", place));
  }
};

TEST_F(KeptDelta, IsMovedAndBelievedByItsStamp) {
  stage("base");
  auto stamp = keep_delta(library, "c", base);
  ASSERT_TRUE(stamp) << stamp.error().describe();
  EXPECT_FALSE(std::filesystem::exists(staged("base")));
  content::DeltaArtifact delta;
  delta.size = 4;
  delta.piece_size = 16 * 1024;
  auto image = kept_image(library, base, delta, *stamp);
  EXPECT_TRUE(image->complete_pieces().all());
  Bytes bytes(4);
  ASSERT_TRUE(image->read(0, bytes));
  EXPECT_EQ(as_text(bytes), "base");
  ASSERT_TRUE(discard_kept(library, "game", "2"));
  EXPECT_EQ(image->complete_pieces().count(), 0U);
  EXPECT_FALSE(image->offers(PieceIndex(0)));
}

TEST_F(KeptDelta, IsTakenBackForItsOwnVersionOnly) {
  keep(base);
  ASSERT_TRUE(take_back_delta(library, "c", {"game", "3", "base"}));
  ASSERT_TRUE(take_back_delta(library, "c", voices));
  EXPECT_TRUE(std::filesystem::exists(kept(base)));
  ASSERT_TRUE(take_back_delta(library, "c", base));
  EXPECT_FALSE(std::filesystem::exists(kept(base)));
  EXPECT_EQ(test::read_text(staged("base")), "base");
}

TEST_F(KeptDelta, GoesByVersionByProductOrWithAll) {
  const KeptPlace next{"game", "3", "base"}, other{"other", "2", "base"};
  for (const auto& place : {base, voices, next, other}) keep(place);
  ASSERT_TRUE(discard_kept(library, "game", "2"));
  EXPECT_FALSE(std::filesystem::exists(kept(base)) || std::filesystem::exists(kept(voices)));
  EXPECT_TRUE(std::filesystem::exists(kept(next)) && std::filesystem::exists(kept(other)));
  ASSERT_TRUE(discard_kept(library, "game"));
  EXPECT_FALSE(std::filesystem::exists(folder / ".shoal/kept/game"));
  EXPECT_TRUE(std::filesystem::exists(kept(other)));
  ASSERT_TRUE(discard_kept(library));
  EXPECT_FALSE(std::filesystem::exists(folder / ".shoal/kept"));
  ASSERT_TRUE(discard_kept(library));
}

TEST_F(KeptDelta, FreesItsRoomAlsoWhileItIsOpen) {
  keep(base);
  UniqueFd fd(::open(kept(base).c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(fd);
  ASSERT_TRUE(discard_kept(library));
  struct ::stat status{};
  ASSERT_EQ(::fstat(fd.get(), &status), 0);
  EXPECT_EQ(status.st_size, 0);
}

// What somebody planted is removed, and what it leads to is not touched.
TEST_F(KeptDelta, LinksInItsFolderLeadNowhere) {
  const auto mine = folder.write("mine", "mine");
  std::filesystem::create_directories(folder / "elsewhere");
  folder.write("elsewhere/delta", "mine");
  keep(base);
  std::filesystem::create_hard_link(mine, folder / ".shoal/kept/game/2/base/hard");
  std::filesystem::create_symlink(mine, folder / ".shoal/kept/game/2/soft");
  std::filesystem::create_directory_symlink(folder / "elsewhere",
                                            folder / ".shoal/kept/game/2/voices");
  stage("voices");
  EXPECT_FALSE(keep_delta(library, "c", voices));
  ASSERT_TRUE(take_back_delta(library, "d", voices));
  ASSERT_TRUE(discard_kept(library));
  EXPECT_EQ(test::read_text(mine), "mine");
  EXPECT_EQ(test::read_text(folder / "elsewhere/delta"), "mine");
  EXPECT_FALSE(std::filesystem::exists(folder / ".shoal/kept"));
}

TEST_F(KeptDelta, NamesThatLeadAwayAreRefused) {
  EXPECT_FALSE(keep_delta(library, "c", {"..", "2", "base"}));
  EXPECT_FALSE(discard_kept(library, ".."));
  EXPECT_FALSE(discard_kept(library, "game", "../.."));
}

}  // namespace
}  // namespace shoal::install
