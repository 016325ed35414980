// Where files can share their bytes (reflinks), a copy takes no room and no time.
#include <fcntl.h>

#include "lab.hpp"
#include "support/mounted.hpp"

namespace shoal::install {
namespace {

constexpr std::uint64_t kCopied = 40'000'000;
constexpr std::uint64_t kSmall = 8'000'000;  // for what is not copied, and the file system's own

struct Copying {
  Tree tree = {{"a", file_of(noise(1, kCopied))}, {"b", file_of(noise(2))}};
  test::SampleRelease old = release_of(tree);
  test::SampleRelease next;

  Copying() {
    tree["copy/a"] = tree["a"];
    tree["b"] = file_of(noise(3));
    next = release_of(tree);
  }
};

TEST(Clone, ACopyWithinTheOldTreeSharesItsBytes) {
  test::Mounted disk;
  if (!disk.mount(test::kXfs)) GTEST_SKIP() << "cannot mount an XFS in a file here";
  Lab lab(disk.path());
  Copying it;
  ASSERT_OK(lab.change_to(it.old, "c1"));
  auto plan = lab.plan({it.next}, "c2");
  ASSERT_OK(plan);
  EXPECT_LT(plan->totals.write_bytes, kSmall);
  EXPECT_LT(plan->totals.peak_extra_bytes, kSmall);
  EXPECT_GE(plan->totals.reuse_bytes, 2 * kCopied);
  auto free = lab.library.free_bytes().value();
  auto staging = stage(lab.library, "c2", *plan, lab.pool, lab.stop);
  ASSERT_OK(staging);
  EXPECT_LT(staging->written_bytes, kSmall);
  EXPECT_LT(free - std::min(free, lab.library.free_bytes().value()), kSmall);
  ASSERT_OK(lab.change_to(it.next, "c2"));
  EXPECT_LT(free - std::min(free, lab.library.free_bytes().value()), kSmall);
  EXPECT_EQ(difference(it.tree, lab.tree()), "");
}

TEST(Clone, AnUpdateFitsOnADiskThatCouldNotHoldItsCopies) {
  test::Mounted disk;
  if (!disk.mount(test::kXfs)) GTEST_SKIP() << "cannot mount an XFS in a file here";
  Lab lab(disk.path());
  Copying it;
  ASSERT_OK(lab.change_to(it.old, "c1"));
  auto free = lab.library.free_bytes().value();
  ASSERT_GT(free, kCopied);
  UniqueFd ballast(::open((disk.path() / "ballast").c_str(), O_CREAT | O_WRONLY, 0600));
  ASSERT_EQ(::posix_fallocate(ballast.get(), 0, static_cast<off_t>(free - kCopied / 2)), 0);
  ASSERT_OK(lab.change_to(it.next, "c2"));
  EXPECT_EQ(difference(it.tree, lab.tree()), "");
}

TEST(Clone, WithoutItACopyIsCountedInFull) {
  test::Mounted disk;
  if (!disk.mount(test::kExt4)) GTEST_SKIP() << "cannot mount a loop file here";
  Lab lab(disk.path());
  Tree tree = {{"a", file_of(noise(1, 1'000'000))}};
  ASSERT_OK(lab.change_to(release_of(tree), "c1"));
  tree["copy"] = tree["a"];
  auto plan = lab.plan({release_of(tree)}, "c2");
  ASSERT_OK(plan);
  EXPECT_GE(plan->totals.peak_extra_bytes, 1'000'000u);
  EXPECT_GE(plan->totals.write_bytes, 1'000'000u);
}

}  // namespace
}  // namespace shoal::install
