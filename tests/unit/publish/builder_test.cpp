// Releases built from real trees on disk: what the bundles hold is what the tree holds.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "base/file.hpp"
#include "content/image.hpp"
#include "content/merkle.hpp"
#include "content/recipe.hpp"
#include "publish/release_builder.hpp"
#include "support/temp_dir.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
using content::Component;

struct Builder : testing::Test {
  shoal::test::TempDir tree;
  shoal::test::TempDir repository;
  WorkerPool pool{2};
  BuildOptions options;
  std::mt19937_64 random{42};

  Builder() {
    options.product = "editor";
    options.version = "1.0";
  }

  std::string noise(std::size_t size) {
    std::string text(size + 8, '\0');
    for (std::size_t at = 0; at < size; at += 8) {
      std::uint64_t value = random();
      std::memcpy(text.data() + at, &value, 8);
    }
    text.resize(size);
    return text;
  }
  std::string prose(std::size_t size) {
    std::string text;
    while (text.size() < size) text += "word" + std::to_string(random() % 100) + ' ';
    text.resize(size);
    return text;
  }

  Result<BuiltRelease> build() {
    return build_release(repository.path(), tree.path(), options, pool);
  }
  ErrorKind kind_of_failure() {
    auto built = build();
    EXPECT_FALSE(built);
    return built ? ErrorKind::internal : built.error().kind;
  }
};

ByteView target(const BuiltRelease& built, std::string_view suffix) {
  for (const TargetFile& file : built.targets)
    if (file.path.ends_with(suffix)) return file.bytes;
  ADD_FAILURE() << "no target " << suffix;
  return {};
}

EarlierArtifact as_earlier(const BuiltRelease& built) {
  return {content::parse_torrent(target(built, ".torrent")).value().piece_hashes,
          content::parse_edge_index(target(built, ".index")).value()};
}

std::uint64_t bytes_in_bundles(const fs::path& repository) {
  std::uint64_t sum = 0;
  if (!fs::exists(repository / "bundles")) return 0;
  for (const auto& entry : fs::recursive_directory_iterator(repository / "bundles"))
    if (entry.is_regular_file()) sum += entry.file_size();
  return sum;
}

// The image, out of the bundles as the signed files describe them.
std::string image_of(const BuiltRelease& built, const fs::path& repository) {
  auto torrent = content::parse_torrent(target(built, ".torrent"));
  auto index = content::parse_edge_index(target(built, ".index"));
  EXPECT_TRUE(torrent && index);
  fs::path output = repository / "out.image";
  auto written = write_image(repository, *torrent, *index, output);
  EXPECT_TRUE(written) << written.error().describe();
  return shoal::test::read_text(output);
}

// Holds every statement of the release against the tree on disk.
void expect_describes_tree(const BuiltRelease& built, const fs::path& tree,
                           const fs::path& repository) {
  auto release = content::parse_release(target(built, "release.json"));
  ASSERT_TRUE(release) << release.error().describe();
  const Component& component = release->components.at(0);
  std::string image = image_of(built, repository);
  EXPECT_EQ(image.size(), component.content.image_size);
  auto recipes = content::parse_recipes(target(built, ".recipes"));
  ASSERT_TRUE(recipes) << recipes.error().describe();
  ASSERT_EQ(recipes->files.size(), component.files.size());
  std::string gaps = image;
  for (std::size_t i = 0; i < component.files.size(); ++i) {
    const auto& file = component.files[i];
    std::string content = shoal::test::read_text(tree / file.path.text());
    ASSERT_EQ(content.size(), file.size) << file.path.text();
    EXPECT_EQ(image.substr(file.offset, file.size), content) << file.path.text();
    content::FileHasher hasher;
    hasher.update(as_bytes(content));
    EXPECT_EQ(hasher.finish(), file.root) << file.path.text();
    std::vector<content::ChunkId> expected;
    content::Chunker chunker([&](const content::Chunk& c) { expected.push_back(c.id); });
    chunker.update(as_bytes(content));
    chunker.finish();
    std::vector<content::ChunkId> found;
    for (const auto& chunk : recipes->files[i]) found.push_back(chunk.id);
    EXPECT_EQ(found, expected) << file.path.text();
    std::fill_n(gaps.begin() + static_cast<std::ptrdiff_t>(file.offset), file.size, '\0');
  }
  EXPECT_EQ(gaps, std::string(gaps.size(), '\0')) << "gaps are zeros";
}

TEST_F(Builder, BundlesHoldExactlyTheTree) {
  options.piece_size = 64 * 1024;
  tree.write("bin/editor", prose(300'000) + noise(200'001));
  tree.write("bin/large", noise(17'000'000));  // spans two windows of the pass
  tree.write("lib/edge-of-block", noise(32'768));
  tree.write("lib/empty", "");
  for (int i = 0; i < 400; ++i)
    tree.write("share/d" + std::to_string(i % 7) + "/f" + std::to_string(i),
               prose(1 + random() % 8000));
  fs::permissions(tree / "bin/editor", fs::perms::owner_exec, fs::perm_options::add);
  fs::create_directories(tree / "var/empty");
  fs::create_symlink("editor", tree / "bin/ed");
  auto built = build();
  ASSERT_TRUE(built) << built.error().describe();
  expect_describes_tree(*built, tree.path(), repository.path());
  const Component& component = built->release.components[0];
  EXPECT_TRUE(component.files[0].executable);
  EXPECT_FALSE(component.files[1].executable);
  ASSERT_EQ(component.symlinks.size(), 1U);
  EXPECT_EQ(component.symlinks[0].target, "editor");
  ASSERT_EQ(component.directories.size(), 1U);
  EXPECT_EQ(component.directories[0].text(), "var/empty");
  EXPECT_EQ(built->statistics.files, component.files.size());
  EXPECT_EQ(built->statistics.tree_bytes, component.total_bytes());
  EXPECT_EQ(built->statistics.new_bundle_bytes, bytes_in_bundles(repository.path()));
  EXPECT_EQ(component.content.torrent_target, "editor/1.0/base.torrent");
  auto torrent = content::parse_torrent(target(*built, ".torrent")).value();
  EXPECT_EQ(component.content.info_hash, torrent.info_hash);
}

TEST_F(Builder, HybridTorrentHasTheV1HashesOfTheImage) {
  options.hybrid = true;
  options.trackers = {"http://tracker.example/announce"};
  tree.write("a", noise(200'000));
  auto built = build();
  ASSERT_TRUE(built) << built.error().describe();
  std::string image = image_of(*built, repository.path());
  Bytes expected;
  for (std::size_t at = 0; at < image.size(); at += 65'536) {
    auto hash = sha1(as_bytes(image).subspan(at, 65'536));
    expected.insert(expected.end(), hash.begin(), hash.end());
  }
  auto torrent = target(*built, ".torrent");
  EXPECT_NE(as_text(torrent).find(as_text(expected)), std::string::npos);
  EXPECT_TRUE(content::parse_torrent(torrent)->v1_info_hash);
  EXPECT_EQ(content::parse_torrent(torrent)->trackers, options.trackers);
}

TEST_F(Builder, TheSameTreeAgainAddsNoBundleBytes) {
  tree.write("a", prose(3'000'000));
  for (int i = 0; i < 50; ++i) tree.write("s/" + std::to_string(i), noise(5000));
  auto first = build();
  ASSERT_TRUE(first);
  std::uint64_t before = bytes_in_bundles(repository.path());
  EXPECT_GT(before, 0U);
  options.version = "2.0";
  options.earlier = {as_earlier(*first)};
  auto second = build();
  ASSERT_TRUE(second);
  EXPECT_EQ(bytes_in_bundles(repository.path()), before);
  EXPECT_EQ(second->statistics.new_bundle_bytes, 0U);
  EXPECT_EQ(second->statistics.reused_pieces, as_earlier(*first).piece_hashes.size());
  EXPECT_EQ(second->statistics.edge_bytes, first->statistics.edge_bytes);
  expect_describes_tree(*second, tree.path(), repository.path());
}

TEST_F(Builder, AnUpdateStoresOnlyThePiecesThatChanged) {
  std::string large = noise(4'000'000);
  tree.write("a", large);
  tree.write("b", noise(100'000));
  auto first = build();
  ASSERT_TRUE(first);
  large[2'000'000] ^= 1;
  tree.write("a", large);
  options.version = "2.0";
  options.earlier = {as_earlier(*first)};
  auto second = build();
  ASSERT_TRUE(second);
  EXPECT_LE(second->statistics.new_bundle_bytes, 65'536U);
  EXPECT_GT(second->statistics.new_bundle_bytes, 0U);
  expect_describes_tree(*second, tree.path(), repository.path());
}

TEST_F(Builder, PiecesThatAreTheSameAreStoredOnce) {
  std::string block = noise(65'536 * 4);
  tree.write("a", block);
  tree.write("b", block + block);
  auto built = build();
  ASSERT_TRUE(built);
  EXPECT_EQ(built->statistics.new_bundle_bytes, block.size());
  EXPECT_EQ(built->statistics.edge_bytes, 3 * block.size());
  expect_describes_tree(*built, tree.path(), repository.path());
}

TEST_F(Builder, BundlesStayWithinTheirSizeAndBearTheirHash) {
  tree.write("a", noise(35'000'000));
  auto built = build();
  ASSERT_TRUE(built);
  int bundles = 0;
  for (const auto& entry : fs::recursive_directory_iterator(repository / "bundles")) {
    if (!entry.is_regular_file()) continue;
    ++bundles;
    EXPECT_LE(entry.file_size(), content::kMaxBundleBytes);
    std::string bytes = shoal::test::read_text(entry.path());
    std::string hex = sha256(as_bytes(bytes)).hex();
    EXPECT_EQ(entry.path(), repository / ("bundles/" + hex.substr(0, 2) + "/" + hex));
  }
  EXPECT_EQ(bundles, 2);
}

TEST_F(Builder, PieceSizeStaysWhenTheTreeGrowsPastAThreshold) {
  tree.write("a", noise(1000));
  options.piece_size = 128 * 1024;
  auto first = build();
  ASSERT_TRUE(first);
  options.piece_size = 0;
  options.earlier = {as_earlier(*first)};
  auto second = build();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->release.components[0].content.piece_size, 128U * 1024);
  EXPECT_EQ(second->statistics.new_bundle_bytes, 0U);
}

TEST_F(Builder, ATreeWithoutBytesHasNoArtifact) {
  tree.write("empty", "");
  fs::create_directories(tree / "folder");
  auto built = build();
  ASSERT_TRUE(built) << built.error().describe();
  EXPECT_EQ(built->targets.size(), 1U);
  EXPECT_EQ(built->release.components[0].content.image_size, 0U);
  EXPECT_EQ(bytes_in_bundles(repository.path()), 0U);
}

TEST_F(Builder, SpecialFilesAreRefusedByName) {
  tree.write("fine", "x");
  ASSERT_EQ(::mkfifo((tree / "trap").c_str(), 0600), 0);
  auto built = build();
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().kind, ErrorKind::unsupported_file_type);
  EXPECT_NE(built.error().message.find("trap"), std::string::npos);
  fs::remove(tree / "trap");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto path = (tree / "sock").string();
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(kind_of_failure(), ErrorKind::unsupported_file_type);
}

TEST_F(Builder, LinksAreNeverFollowed) {
  shoal::test::TempDir outside;
  outside.write("secret", "secret");
  fs::create_directory_symlink(outside.path(), tree / "link");
  EXPECT_EQ(kind_of_failure(), ErrorKind::path_invalid);
  options.allow_outside_links = true;
  auto built = build();
  ASSERT_TRUE(built) << built.error().describe();
  EXPECT_TRUE(built->release.components[0].files.empty());
  EXPECT_EQ(built->release.components[0].symlinks[0].target, outside.path().string());
}

TEST_F(Builder, HardLinksAreFilesLikeAnyOther) {
  tree.write("a", "same");
  fs::create_hard_link(tree / "a", tree / "b");
  auto built = build();
  ASSERT_TRUE(built);
  const auto& files = built->release.components[0].files;
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].root, files[1].root);
}

TEST_F(Builder, NamesThatDifferOnlyInCaseAreReportedOrRefused) {
  tree.write("net/xt_DSCP.ko", "1");
  tree.write("net/xt_dscp.ko", "2");
  auto built = build();
  ASSERT_TRUE(built);
  EXPECT_THAT(built->warnings, testing::ElementsAre(testing::HasSubstr("xt_DSCP.ko")));
  options.platforms = {"windows"};
  EXPECT_EQ(kind_of_failure(), ErrorKind::path_collision);
}

TEST_F(Builder, NamesThatBreakTheRulesAreRefusedBeforeAnythingIsWritten) {
  for (std::string name : {"gro\u0308sse", "tab\there", "latin\xff"}) {
    tree.write(name, "x");
    EXPECT_EQ(kind_of_failure(), ErrorKind::path_invalid) << name;
    fs::remove(tree / name);
  }
  EXPECT_EQ(bytes_in_bundles(repository.path()), 0U);
}

TEST_F(Builder, OptionsOutOfRangeAreRefused) {
  tree.write("a", "x");
  options.product = "../x";
  EXPECT_EQ(kind_of_failure(), ErrorKind::invalid_request);
  options.product = "editor";
  options.piece_size = 100'000;
  EXPECT_EQ(kind_of_failure(), ErrorKind::invalid_request);
  options.piece_size = 0;
  options.zstd_level = 99;
  EXPECT_EQ(kind_of_failure(), ErrorKind::invalid_request);
}

TEST_F(Builder, AFileThatChangesWhileItIsReadIsNoticed) {
  tree.write("a", noise(35'000'000));
  tree.write("b", noise(100));
  // The progress of the first window comes long before b, in the last one, is read.
  bool touched = false;
  auto built = build_release(repository.path(), tree.path(), options, pool, [&](auto, auto) {
    if (!touched) tree.write("b", noise(100) + "more");
    touched = true;
  });
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().kind, ErrorKind::io_error);
  EXPECT_NE(built.error().message.find("'b'"), std::string::npos);
  for (const auto& entry : fs::directory_iterator(repository / "bundles"))
    EXPECT_TRUE(entry.is_directory()) << "left behind: " << entry.path();
}

TEST_F(Builder, AnUnreadableTreeIsNamed) {
  auto built = build_release(repository.path(), tree / "missing", options, pool);
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().kind, ErrorKind::not_found);
  EXPECT_NE(built.error().message.find("missing"), std::string::npos);
}

TEST_F(Builder, ProgressEndsAtTheWholeTree) {
  tree.write("a", noise(3'000'000));
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  auto built = build_release(repository.path(), tree.path(), options, pool,
                             [&](std::uint64_t done, std::uint64_t all) {
                               EXPECT_GE(done, last);
                               last = done;
                               total = all;
                             });
  ASSERT_TRUE(built);
  EXPECT_EQ(last, 3'000'000U);
  EXPECT_EQ(total, 3'000'000U);
}

TEST_F(Builder, AFlippedByteInABundleIsFoundWhenTheImageIsWritten) {
  tree.write("a", prose(500'000));
  auto built = build();
  ASSERT_TRUE(built);
  for (const auto& entry : fs::recursive_directory_iterator(repository / "bundles")) {
    if (!entry.is_regular_file()) continue;
    auto bytes = shoal::test::read_text(entry.path());
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(write_file_atomic(entry.path(), as_bytes(bytes)));
  }
  auto torrent = content::parse_torrent(target(*built, ".torrent")).value();
  auto index = content::parse_edge_index(target(*built, ".index")).value();
  auto written = write_image(repository.path(), torrent, index, repository / "out");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::verification_failed);
  EXPECT_FALSE(fs::exists(repository / "out"));
}

}  // namespace
}  // namespace shoal::publish
