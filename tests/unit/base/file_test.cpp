// Whole small files: exact reads, limits, and replacement as one step.
#include "base/file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "support/temp_dir.hpp"

namespace shoal {
namespace {

using test::TempDir;

TEST(ReadFile, GivesTheBytes) {
  TempDir dir;
  EXPECT_EQ(read_file(dir.write("f", "hello"), 5), to_bytes("hello"));
  EXPECT_EQ(read_file(dir.write("empty", ""), 0), Bytes{});
}

TEST(ReadFile, RefusesMoreThanTheLimitAndNamesBothSizes) {
  TempDir dir;
  auto result = read_file(dir.write("f", "hello"), 4);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::too_large);
  EXPECT_NE(result.error().message.find("5 bytes, more than the 4"), std::string::npos);
}

TEST(ReadFile, SaysThatAFileIsMissing) {
  TempDir dir;
  EXPECT_EQ(read_file(dir / "absent", 10).error().kind, ErrorKind::not_found);
}

TEST(ReadFile, RefusesWhatIsNotAFileWithoutBlocking) {
  TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(read_file(dir / "fifo", 10).error().kind, ErrorKind::unsupported_file_type);
  EXPECT_EQ(read_file(dir.path(), 1 << 20).error().kind, ErrorKind::unsupported_file_type);
}

TEST(PreadExact, FailsAtTheEndOfAShorterFile) {
  TempDir dir;
  UniqueFd fd(::open(dir.write("f", "abcdef").c_str(), O_RDONLY));
  Bytes out(3);
  ASSERT_TRUE(pread_exact(fd.get(), out, 3, "f"));
  EXPECT_EQ(as_text(out), "def");
  auto beyond = pread_exact(fd.get(), out, 4, "f");
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().kind, ErrorKind::io_error);
}

TEST(PwriteAll, WritesAtTheOffset) {
  TempDir dir;
  auto path = dir.write("f", "abcdef");
  UniqueFd fd(::open(path.c_str(), O_RDWR));
  ASSERT_TRUE(pwrite_all(fd.get(), as_bytes("XY"), 2, "f"));
  EXPECT_EQ(test::read_text(path), "abXYef");
}

TEST(WriteFileAtomic, CreatesReplacesAndLeavesNothingElseBehind) {
  TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "f", as_bytes("one")));
  ASSERT_TRUE(write_file_atomic(dir / "f", as_bytes("two")));
  EXPECT_EQ(test::read_text(dir / "f"), "two");
  auto entries = std::filesystem::directory_iterator(dir.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(WriteFileAtomic, GivesTheFileItsModeFromTheStart) {
  TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "key", as_bytes("secret"), 0600));
  auto mode = std::filesystem::status(dir / "key").permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(WriteFileAtomic, ReplacesALinkAndNotWhatItPointsTo) {
  TempDir dir;
  dir.write("victim", "precious");
  std::filesystem::create_symlink("victim", dir / "f");
  ASSERT_TRUE(write_file_atomic(dir / "f", as_bytes("new")));
  EXPECT_EQ(test::read_text(dir / "victim"), "precious");
  EXPECT_FALSE(std::filesystem::is_symlink(dir / "f"));
}

TEST(WriteFileAtomic, KeepsTheOldFileWhenItFails) {
  TempDir dir;
  dir.write("folder/inside", "x");
  auto onto_folder = write_file_atomic(dir / "folder", as_bytes("new"));
  ASSERT_FALSE(onto_folder);
  EXPECT_EQ(test::read_text(dir / "folder/inside"), "x");
  EXPECT_EQ(write_file_atomic(dir / "no/such/f", as_bytes("x")).error().kind, ErrorKind::not_found);
  auto entries = std::filesystem::directory_iterator(dir.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1) << "a temporary file stayed";
}

TEST(WriteFileAtomic, ConcurrentWritersEachPutAWholeFileInPlace) {
  TempDir dir;
  Bytes a(100'000, 'a');
  Bytes b(100'000, 'b');
  std::atomic<int> failures = 0;
  {
    std::jthread other([&] {
      for (int i = 0; i < 20; ++i)
        if (!write_file_atomic(dir / "f", b)) ++failures;
    });
    for (int i = 0; i < 20; ++i)
      if (!write_file_atomic(dir / "f", a)) ++failures;
  }
  EXPECT_EQ(failures, 0);
  auto bytes = read_file(dir / "f", 1 << 20);
  ASSERT_TRUE(bytes);
  EXPECT_TRUE(*bytes == a || *bytes == b);
}

TEST(MakeDirectories, IsContentWhenTheyAreThere) {
  TempDir dir;
  ASSERT_TRUE(make_directories(dir / "a/b/c"));
  ASSERT_TRUE(make_directories(dir / "a/b/c"));
  EXPECT_TRUE(std::filesystem::is_directory(dir / "a/b/c"));
  dir.write("file", "");
  EXPECT_FALSE(make_directories(dir / "file"));
  EXPECT_FALSE(make_directories(dir / "file/below"));
}

TEST(FileStamp, ChangesWithContentAndWithReplacement) {
  TempDir dir;
  auto stamp = [&] {
    UniqueFd fd(::open((dir / "f").c_str(), O_RDONLY));
    return *stamp_of(fd.get(), "f");
  };
  dir.write("f", "abc");
  auto before = stamp();
  EXPECT_EQ(stamp(), before);
  dir.write("f", "abcd");
  EXPECT_NE(stamp(), before);
  dir.write("g", "abc");
  std::filesystem::last_write_time(dir / "g", std::filesystem::last_write_time(dir / "f"));
  std::filesystem::rename(dir / "g", dir / "f");
  EXPECT_NE(stamp(), before) << "another inode";
}

TEST(UniqueFd, ClosesOnceAndMoves) {
  int raw = ::open("/dev/null", O_RDONLY);
  {
    UniqueFd first(raw);
    UniqueFd second(std::move(first));
    EXPECT_EQ(second.get(), raw);
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): what is asserted
  }
  EXPECT_EQ(::fcntl(raw, F_GETFD), -1);
}

}  // namespace
}  // namespace shoal
