// BeneathDir against what a hostile tree can hold: links in every position, FIFOs, hard links,
// folders swapped while they are used. The last test runs all of them again without openat2.
#include "base/beneath_dir.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <thread>

#include "support/temp_dir.hpp"

namespace shoal {
namespace {

namespace fs = std::filesystem;
using test::read_text;

RelativePath rel(std::string_view text) { return *RelativePath::parse(text); }

// A library with a file in a folder, and a place outside of it that nothing may reach.
struct BeneathDirTest : testing::Test {
  test::TempDir temp;
  fs::path inside = temp / "library";
  fs::path outside = temp / "outside";
  std::optional<BeneathDir> dir;

  void SetUp() override {
    temp.write("library/folder/file", "content");
    temp.write("outside/secret", "secret");
    auto opened = BeneathDir::open(inside);
    ASSERT_TRUE(opened);
    dir.emplace(std::move(*opened));
  }
  void TearDown() override {
    EXPECT_EQ(read_text(outside / "secret"), "secret") << "something outside was changed";
    EXPECT_EQ(std::distance(fs::directory_iterator(outside), fs::directory_iterator()), 1)
        << "something appeared or vanished outside";
  }

  std::string read(std::string_view path) {
    auto fd = dir->open_read(rel(path));
    if (!fd) return "error: " + fd.error().message;
    auto stamp = *stamp_of(fd->get(), path);
    Bytes bytes(stamp.size);
    EXPECT_TRUE(pread_exact(fd->get(), bytes, 0, path));
    return std::string(as_text(bytes));
  }
};

TEST_F(BeneathDirTest, OpensReadsAndCreates) {
  EXPECT_EQ(read("folder/file"), "content");
  auto fd = dir->create(rel("new/deep/file"), true);
  ASSERT_TRUE(fd) << fd.error().message;
  ASSERT_TRUE(pwrite_all(fd->get(), as_bytes("x"), 0, "file"));
  EXPECT_EQ(read("new/deep/file"), "x");
  EXPECT_TRUE(dir->status(rel("new/deep/file"))->executable);
  EXPECT_FALSE(dir->status(rel("folder/file"))->executable);
}

TEST_F(BeneathDirTest, OpeningAFolderThatIsNotThereSaysSo) {
  EXPECT_EQ(BeneathDir::open(temp / "absent").error().kind, ErrorKind::not_found);
  EXPECT_FALSE(BeneathDir::open(inside / "folder/file"));
  EXPECT_EQ(dir->open_read(rel("absent")).error().kind, ErrorKind::not_found);
  EXPECT_EQ(dir->status(rel("absent/deeper")).error().kind, ErrorKind::not_found);
}

TEST_F(BeneathDirTest, CreateDoesNotReplaceUnlessAsked) {
  auto refused = dir->create(rel("folder/file"), false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::conflict);
  EXPECT_EQ(read("folder/file"), "content");
  ASSERT_TRUE(dir->create(rel("folder/file"), false, true));
  EXPECT_EQ(read("folder/file"), "");
}

TEST_F(BeneathDirTest, NoOperationFollowsALinkInTheMiddleOfAPath) {
  fs::create_directory_symlink(outside, inside / "link");
  fs::create_directory_symlink("../outside", inside / "relative");
  fs::create_directory_symlink("folder", inside / "harmless");  // even within the tree
  for (std::string_view folder : {"link", "relative", "harmless"}) {
    SCOPED_TRACE(folder);
    auto path = rel(std::string(folder) + "/secret");
    auto target = rel("taken");
    auto kind = [](const auto& result) {
      return result ? ErrorKind::internal : result.error().kind;
    };
    EXPECT_EQ(kind(dir->open_read(path)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->open_write(path)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->create(path, false)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->create(path, false, true)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->status(path)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->sub(rel(folder))), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->make_dirs(path)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->rename(path, target)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->rename(rel("folder/file"), path)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->hard_link(path, target)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->hard_link(rel("folder/file"), path)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->symlink("x", path)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->read_link(path)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->set_executable(path, true)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->unlink(path)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->remove_empty_dir(path)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->remove_all(path)), ErrorKind::path_invalid);
    EXPECT_EQ(kind(dir->list(folder)), ErrorKind::path_invalid);
  }
  EXPECT_EQ(read("folder/file"), "content");
}

TEST_F(BeneathDirTest, ALinkAtTheEndIsNotFollowedEither) {
  fs::create_symlink(outside / "secret", inside / "link");
  EXPECT_EQ(dir->open_read(rel("link")).error().kind, ErrorKind::path_invalid);
  EXPECT_EQ(dir->open_write(rel("link")).error().kind, ErrorKind::path_invalid);
  EXPECT_EQ(dir->set_executable(rel("link"), true).error().kind, ErrorKind::path_invalid);
  EXPECT_EQ(dir->create(rel("link"), false).error().kind, ErrorKind::conflict);
  EXPECT_EQ(dir->status(rel("link"))->type, EntryType::symlink);
  EXPECT_EQ(*dir->read_link(rel("link")), (outside / "secret").string());
}

TEST_F(BeneathDirTest, CreatingThroughADanglingLinkMakesNothingOutside) {
  fs::create_symlink(outside / "planted", inside / "link");
  EXPECT_FALSE(dir->create(rel("link"), false));
  ASSERT_TRUE(dir->create(rel("link"), false, true));  // the link itself is replaced
  EXPECT_EQ(dir->status(rel("link"))->type, EntryType::file);
}

TEST_F(BeneathDirTest, ReplacingAHardLinkedFileLeavesItsOtherNameAlone) {
  fs::create_hard_link(outside / "secret", inside / "planted");
  auto fd = dir->create(rel("planted"), false, true);
  ASSERT_TRUE(fd);
  ASSERT_TRUE(pwrite_all(fd->get(), as_bytes("overwritten"), 0, "planted"));
}

TEST_F(BeneathDirTest, FifosAndSocketsAreRefusedWithoutBlocking) {
  ASSERT_EQ(::mkfifo((inside / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(dir->open_read(rel("fifo")).error().kind, ErrorKind::unsupported_file_type);
  EXPECT_EQ(dir->open_write(rel("fifo")).error().kind, ErrorKind::unsupported_file_type);
  EXPECT_EQ(dir->create(rel("fifo"), false).error().kind, ErrorKind::conflict);
  EXPECT_EQ(dir->set_executable(rel("fifo"), true).error().kind, ErrorKind::unsupported_file_type);
  EXPECT_EQ(dir->status(rel("fifo"))->type, EntryType::other);

  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  ::sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  auto path = (inside / "socket").string();
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<::sockaddr*>(&address), sizeof address), 0);
  EXPECT_FALSE(dir->open_read(rel("socket")));
  EXPECT_FALSE(dir->open_read(rel("folder"))) << "a folder is not a file";

  ASSERT_TRUE(dir->create(rel("fifo"), false, true)) << "replaced by a file";
  EXPECT_EQ(dir->status(rel("fifo"))->type, EntryType::file);
}

TEST_F(BeneathDirTest, RemoveAllRemovesLinksAndNotWhatTheyPointTo) {
  temp.write("library/tree/a/b/c", "x");
  fs::create_directory_symlink(outside, inside / "tree/a/out");
  fs::create_symlink(outside / "secret", inside / "tree/file-link");
  fs::create_directory_symlink("..", inside / "tree/a/up");
  ASSERT_EQ(::mkfifo((inside / "tree/fifo").c_str(), 0600), 0);
  ASSERT_TRUE(dir->remove_all(rel("tree")));
  EXPECT_FALSE(fs::exists(inside / "tree"));
  EXPECT_EQ(read("folder/file"), "content");

  fs::create_directory_symlink(outside, inside / "root-link");
  ASSERT_TRUE(dir->remove_all(rel("root-link")));
  EXPECT_FALSE(fs::is_symlink(inside / "root-link"));
}

TEST_F(BeneathDirTest, RemoveAllOfNothingIsNoError) {
  EXPECT_TRUE(dir->remove_all(rel("absent")));
  EXPECT_TRUE(dir->remove_all(rel("absent/deeper")));
}

TEST_F(BeneathDirTest, RemoveAllStopsAtAnAbsurdDepth) {
  fs::path deep = inside / "d";
  for (int i = 0; i < 300; ++i) deep /= "d";
  fs::create_directories(deep);
  EXPECT_EQ(dir->remove_all(rel("d")).error().kind, ErrorKind::too_large);
}

TEST_F(BeneathDirTest, RemoveEmptyDirKeepsWhatIsNotEmpty) {
  fs::create_directory(inside / "empty");
  EXPECT_TRUE(dir->remove_empty_dir(rel("empty")));
  EXPECT_EQ(dir->remove_empty_dir(rel("empty")).error().kind, ErrorKind::not_found);
  EXPECT_EQ(dir->remove_empty_dir(rel("folder")).error().kind, ErrorKind::conflict);
}

TEST_F(BeneathDirTest, MakeDirsIsContentWithWhatIsThereAndRefusesAFileInTheWay) {
  ASSERT_TRUE(dir->make_dirs(rel("a/b/c")));
  ASSERT_TRUE(dir->make_dirs(rel("a/b/c")));
  EXPECT_EQ(dir->status(rel("a/b/c"))->type, EntryType::directory);
  EXPECT_EQ(dir->make_dirs(rel("folder/file")).error().kind, ErrorKind::conflict);
  EXPECT_EQ(dir->make_dirs(rel("folder/file/below")).error().kind, ErrorKind::conflict);
}

TEST_F(BeneathDirTest, RenameReplacesFilesAndLinks) {
  temp.write("library/new", "new");
  fs::create_symlink(outside / "secret", inside / "folder/link");
  ASSERT_TRUE(dir->rename(rel("new"), rel("folder/link")));
  EXPECT_EQ(read("folder/link"), "new");
  ASSERT_TRUE(dir->rename(rel("folder/link"), rel("folder/file")));
  EXPECT_EQ(read("folder/file"), "new");
  EXPECT_EQ(dir->rename(rel("absent"), rel("x")).error().kind, ErrorKind::not_found);
}

TEST_F(BeneathDirTest, LinksAreMadeAndReadAsGiven) {
  ASSERT_TRUE(dir->symlink("../anywhere/at all", rel("sub/link")));
  EXPECT_EQ(*dir->read_link(rel("sub/link")), "../anywhere/at all");
  EXPECT_FALSE(dir->read_link(rel("folder/file")));
  ASSERT_TRUE(dir->hard_link(rel("folder/file"), rel("second")));
  EXPECT_EQ(dir->status(rel("second"))->links, 2U);
}

TEST_F(BeneathDirTest, ListsNamesSorted) {
  for (auto name : {"library/b", "library/a", "library/C", "library/.hidden"}) temp.write(name, "");
  EXPECT_EQ(*dir->list(""), (std::vector<std::string>{".hidden", "C", "a", "b", "folder"}));
  EXPECT_EQ(*dir->list("folder"), std::vector<std::string>{"file"});
  EXPECT_EQ(dir->list("absent").error().kind, ErrorKind::not_found);
  EXPECT_FALSE(dir->list("folder/file"));
}

TEST_F(BeneathDirTest, AHandleStaysOnItsFolderWhenThePathIsSwapped) {
  auto sub = dir->sub(rel("folder"));
  ASSERT_TRUE(sub);
  fs::rename(inside / "folder", inside / "moved");
  fs::create_directory_symlink(outside, inside / "folder");
  ASSERT_TRUE(sub->create(rel("new"), false));
  EXPECT_TRUE(fs::exists(inside / "moved/new"));
}

TEST_F(BeneathDirTest, ExecutableBitIsSetAndCleared) {
  ASSERT_TRUE(dir->set_executable(rel("folder/file"), true));
  EXPECT_TRUE(dir->status(rel("folder/file"))->executable);
  ASSERT_TRUE(dir->set_executable(rel("folder/file"), false));
  EXPECT_FALSE(dir->status(rel("folder/file"))->executable);
}

TEST_F(BeneathDirTest, TellsFreeSpaceAndFlushes) {
  EXPECT_GT(*dir->free_bytes(), 0U);
  EXPECT_TRUE(dir->sync());
}

// The attack on update services: a folder becomes a link to elsewhere between two steps. While one
// thread swaps as fast as it can, whatever this one creates must never land outside.
TEST_F(BeneathDirTest, AFolderSwappedForALinkMeanwhileNeverLeadsOutside) {
  fs::create_directory(inside / "real");
  fs::create_directory_symlink(outside, inside / "trap");
  auto swap = [&] {
    ::syscall(SYS_renameat2, AT_FDCWD, (inside / "real").c_str(), AT_FDCWD,
              (inside / "trap").c_str(), 2U /* RENAME_EXCHANGE */);
  };
  std::atomic<bool> stop = false;
  std::atomic<int> swaps = 0;
  std::jthread attacker([&] {
    while (!stop) {
      swap();
      ++swaps;
    }
  });
  int created = 0;
  int refused = 0;
  // Ends by count; the odds that 20,000 rounds meet only one of the two states are nil.
  for (int i = 0; i < 20'000 && (created < 200 || refused < 200); ++i) {
    auto fd = dir->create(rel("real/file"), false, true);
    fd ? ++created : ++refused;
    (void)dir->set_executable(rel("real/file"), i % 2 == 0);
    (void)dir->rename(rel("real/file"), rel("real/renamed"));
    (void)dir->remove_all(rel("real/renamed"));
  }
  stop = true;
  attacker.join();
  EXPECT_GT(created, 0);
  EXPECT_GT(refused, 0);
  EXPECT_GT(swaps, 0);
}

constexpr const char* kWithoutOpenat2 = "SHOAL_TEST_WITHOUT_OPENAT2";

// A seccomp filter under which openat2 does not exist; it outlives exec.
bool forbid_openat2() {
  std::array<::sock_filter, 4> program = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(::seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  ::sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST_F(BeneathDirTest, TheChildOfTheLastTestReallyHasNoOpenat2) {
  ::open_how how{};
  long result = ::syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how);
  int error = errno;
  if (result >= 0) ::close(static_cast<int>(result));
  if (std::getenv(kWithoutOpenat2) != nullptr) {
    EXPECT_EQ(result, -1);
    EXPECT_EQ(error, ENOSYS);
  }
}

TEST(BeneathDirOnOldKernels, KeepsEveryPromiseWithoutOpenat2) {
  ::pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::setenv(kWithoutOpenat2, "1", 1);
    if (!forbid_openat2()) ::_exit(77);
    ::execl("/proc/self/exe", "base_test", "--gtest_filter=BeneathDirTest.*", "--gtest_brief=1",
            nullptr);
    ::_exit(78);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no seccomp here";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "see the failures above";
}

}  // namespace
}  // namespace shoal
