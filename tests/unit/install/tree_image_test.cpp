// What is served to peers is what was verified, and the network writes into staged files only.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "lab.hpp"

namespace shoal::install {
namespace {

namespace fs = std::filesystem;

struct Installed {
  Lab lab;
  Tree tree = {
      {"big", file_of(noise(1, 200'000))}, {"small/a", file_of("a")}, {"small/b", file_of("b")}};
  test::SampleRelease release = release_of(tree);
  std::shared_ptr<TreeImage> image;

  void SetUp() {
    ASSERT_OK(lab.change_to(release, "c1"));
    image = TreeImage::of_installed(lab.library, lab.folder, lab.installed[0]);
  }
};

PieceIndex piece_of(const test::SampleRelease& release, const std::string& path) {
  const auto& component = *release.component;
  for (const auto& file : component.files)
    if (file.path.text() == path)
      return PieceIndex(static_cast<std::uint32_t>(file.offset / component.content.piece_size));
  ADD_FAILURE() << path;
  return {};
}

std::optional<Bytes> read_piece(TreeImage& image, PieceIndex piece) {
  Bytes bytes(image.map().piece_size());
  if (!image.read(piece.value() * bytes.size(), bytes)) return std::nullopt;
  return bytes;
}

TEST(TreeImage, AnInstalledTreeReadsAsItsImage) {
  Installed it;
  it.SetUp();
  Bytes bytes(it.release.image.size());
  ASSERT_OK(it.image->read(0, bytes));
  EXPECT_EQ(bytes, it.release.image);
  Bytes part(10'000);
  ASSERT_OK(it.image->read(195'000, part));  // the end of a file, and the gap after it
  EXPECT_TRUE(std::equal(part.begin(), part.end(), it.release.image.begin() + 195'000));
}

TEST(TreeImage, AnInstalledTreeIsNeverWritten) {
  Installed it;
  it.SetUp();
  auto written = it.image->write(0, ByteView(it.release.image).first(100));
  EXPECT_EQ(written.error().kind, ErrorKind::read_only);
}

TEST(TreeImage, AFileThatChangesIsNoLongerReadOrOffered) {
  Installed it;
  it.SetUp();
  auto piece = piece_of(it.release, "big");
  ASSERT_TRUE(it.image->offers(piece));
  ASSERT_TRUE(read_piece(*it.image, piece));  // its descriptor is open now
  {
    std::fstream file(it.lab.path("big"), std::ios::in | std::ios::out | std::ios::binary);
    file.put('x');
  }
  EXPECT_FALSE(it.image->offers(piece));
  EXPECT_FALSE(read_piece(*it.image, piece));
  EXPECT_TRUE(it.image->offers(piece_of(it.release, "small/a")));
  EXPECT_FALSE(it.image->complete_pieces().has(piece));
  EXPECT_TRUE(it.image->complete_pieces().has(piece_of(it.release, "small/a")));
}

TEST(TreeImage, AFileReplacedByALinkOrAPipeIsNotFollowedOrWaitedFor) {
  Installed it;
  it.SetUp();
  auto big = piece_of(it.release, "big");
  fs::rename(it.lab.path("big"), it.lab.root() / "elsewhere");
  fs::create_symlink(it.lab.root() / "elsewhere", it.lab.path("big"));
  EXPECT_FALSE(it.image->offers(big));
  EXPECT_FALSE(read_piece(*it.image, big));
  fs::remove(it.lab.path("small/a"));
  ASSERT_EQ(::mkfifo(it.lab.path("small/a").c_str(), 0600), 0);
  auto small = piece_of(it.release, "small/a");
  EXPECT_FALSE(it.image->offers(small));
  EXPECT_FALSE(read_piece(*it.image, small));
}

TEST(TreeImage, AFolderSwappedForALinkIsNotFollowed) {
  Installed it;
  it.SetUp();
  fs::rename(it.lab.path("small"), it.lab.root() / "elsewhere");
  fs::create_directory_symlink(it.lab.root() / "elsewhere", it.lab.path("small"));
  auto small = piece_of(it.release, "small/a");
  EXPECT_FALSE(it.image->offers(small));
  EXPECT_FALSE(read_piece(*it.image, small));
}

TEST(TreeImage, ManyFilesNeedFewDescriptors) {
  Tree tree;
  for (int i = 0; i < 300; ++i)
    tree["f" + std::to_string(i)] = file_of(noise(static_cast<std::uint64_t>(i), 2'000));
  Lab lab;
  auto release = release_of(tree);
  ASSERT_OK(lab.change_to(release, "c1"));
  auto open_descriptors = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{});
  };
  auto before = open_descriptors();
  auto image = TreeImage::of_installed(lab.library, lab.folder, lab.installed[0]);
  Bytes bytes(release.image.size());
  ASSERT_OK(image->read(0, bytes));
  EXPECT_EQ(bytes, release.image);
  EXPECT_LE(open_descriptors() - before, 64);
}

// An update in which one small file changes and its neighbours in the piece stay.
struct Updating {
  Lab lab;
  Tree old = {{"g/kept", file_of(noise(1, 10'000))},
              {"g/moved", file_of(noise(2, 10'000))},
              {"g/new", file_of(noise(3, 10'000))}};
  Tree next = {{"g/kept", old["g/kept"]},
               {"g/moved.to", old["g/moved"]},
               {"g/new", file_of(noise(4, 10'000))}};
  std::vector<test::SampleRelease> releases = {release_of(next)};
  std::optional<Plan> plan;
  std::optional<Staging> staging;

  void SetUp() {
    ASSERT_OK(lab.change_to(release_of(old), "c1"));
    auto made = lab.plan(releases, "c2");
    ASSERT_OK(made);
    plan = std::move(*made);
    auto staged = stage(lab.library, "c2", *plan, lab.pool, lab.stop);
    ASSERT_OK(staged);
    staging = std::move(*staged);
  }
  TreeImage& image() { return *staging->components[0].image; }
};

TEST(TreeImage, WrongBytesForAFileThatStaysAreNotWritten) {
  Updating it;
  it.SetUp();
  Bytes wrong = it.releases[0].image;
  for (auto& byte : wrong) byte ^= 0xff;
  ASSERT_OK(it.image().write(0, wrong));                 // for the piece's hash to judge
  EXPECT_EQ(difference(it.old, it.lab.tree()), "");      // moved files are links to old ones
  ASSERT_OK(it.image().write(0, it.releases[0].image));  // the right ones are welcome
  Bytes bytes(it.releases[0].image.size());
  ASSERT_OK(it.image().read(0, bytes));
  EXPECT_EQ(bytes, it.releases[0].image);
  ASSERT_OK(it.lab.journal(*it.plan, *it.staging, "c2"));
}

TEST(TreeImage, PeersReadOnWhileTheCommitRenames) {
  Updating it;
  it.SetUp();
  ASSERT_OK(it.lab.fetch(*it.plan, *it.staging, it.releases));
  auto journal = it.lab.journal(*it.plan, *it.staging, "c2");
  ASSERT_OK(journal);
  auto check = [&](std::string_view step) {
    Bytes bytes(it.releases[0].image.size());
    auto done = it.image().read(0, bytes);
    EXPECT_TRUE(done.has_value()) << step << ": " << done.error().describe();
    EXPECT_EQ(bytes, it.releases[0].image) << step;
    EXPECT_TRUE(it.image().offers(PieceIndex(0))) << step;
  };
  auto outcome = roll_forward(it.lab.library, *journal, check);
  ASSERT_OK(outcome);
  check("after");
  it.image().seal(outcome->stamps[0]);
  check("sealed");
  // A piece that came twice may be written as late as now: no failure, and no change either.
  ASSERT_OK(it.image().write(0, Bytes(it.releases[0].image.size(), 0xff)));
  check("written late");
  EXPECT_TRUE(it.image().complete_pieces().all());
}

TEST(TreeImage, ManyThreadsMayUseIt) {
  Installed it;
  it.SetUp();
  std::atomic<int> wrong = 0;
  it.lab.pool.parallel_for(64, [&](std::size_t i) {
    PieceIndex piece(static_cast<std::uint32_t>(i % it.release.piece_hashes->size()));
    auto bytes = read_piece(*it.image, piece);
    auto expected = it.release.piece(piece);
    if (!bytes || !std::equal(bytes->begin(), bytes->end(), expected.begin())) ++wrong;
  });
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace shoal::install
