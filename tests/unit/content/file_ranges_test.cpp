// A file hashed in ranges, in any order, against the same bytes hashed as they come.
#include "content/file_ranges.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "samples.hpp"

namespace shoal::content {
namespace {

TEST(FileRanges, GiveTheFilesRootInAnyOrder) {
  constexpr std::size_t kRange = FileRanges::kBytes;
  Bytes bytes(3 * kRange + 1);
  std::mt19937_64 random(5);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kRange / 2 + 5, kRange - 1, kRange, kRange + 1, 2 * kRange,
        2 * kRange + kBlockSize, 3 * kRange - 1, 3 * kRange + 1}) {
    const FileRanges ranges(size);
    std::vector<Digest> digests(ranges.count());
    std::size_t read = 0;
    for (std::size_t range = digests.size(); range-- > 0;) {
      auto digest =
          ranges.hash(range, [&](std::uint64_t offset, MutableByteView out) -> Result<void> {
            std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(),
                        out.begin());
            read += out.size();
            return {};
          });
      ASSERT_TRUE(digest);
      digests[range] = *digest;
    }
    FileHasher whole;
    whole.update(ByteView(bytes).first(size));
    EXPECT_EQ(ranges.join(digests), whole.finish()) << size;
    EXPECT_EQ(read, size);
  }
}

TEST(FileRanges, AnErrorOfTheReaderIsReturned) {
  auto digest = FileRanges(100).hash(0, [](std::uint64_t, MutableByteView) -> Result<void> {
    return fail(ErrorKind::io_error, "bad disk");
  });
  ASSERT_FALSE(digest);
  EXPECT_EQ(digest.error().kind, ErrorKind::io_error);
}

}  // namespace
}  // namespace shoal::content
