// Files are found right while others are still being fetched; nothing is lost for those that are
// not.
#include "install/staged_verifier.hpp"

#include <chrono>
#include <fstream>
#include <thread>

#include "lab.hpp"

namespace shoal::install {
namespace {

namespace fs = std::filesystem;

// A first install, piece by piece.
struct Fetching {
  explicit Fetching(Tree wanted) : tree(std::move(wanted)) {}

  void SetUp() {
    auto made = lab.plan(releases);
    ASSERT_OK(made);
    plan = std::move(*made);
    auto staged = stage(lab.library, "c1", *plan, lab.pool, lab.stop);
    ASSERT_OK(staged);
    staging = std::move(*staged);
    verifier = std::make_unique<StagedVerifier>(lab.library, *plan, *staging, lab.pool, lab.stop);
  }

  TreeImage& image() { return *staging->components[0].image; }
  FileIndex file(const std::string& path) const {
    const auto& files = releases[0].component->files;
    for (std::uint32_t f = 0; f < files.size(); ++f)
      if (files[f].path.text() == path) return FileIndex(f);
    throw std::runtime_error("no " + path);
  }
  std::vector<PieceIndex> pieces_of(const std::string& path) {
    auto [first, last] = image().map().pieces_of(file(path));
    std::vector<PieceIndex> pieces;
    for (auto p = first; p <= last; ++p) pieces.push_back(p);
    return pieces;
  }
  void write(PieceIndex piece, std::uint8_t flip = 0) {
    auto right = releases[0].piece(piece);
    Bytes bytes(right.begin(), right.end());
    for (auto& byte : bytes) byte ^= flip;
    ASSERT_OK(image().write(piece.value() * bytes.size(), bytes));
  }
  void store(PieceIndex piece) {
    write(piece);
    verifier->piece_stored(0, piece);
  }
  void store_all() {
    for (std::uint32_t p = 0; p < staging->components[0].have.size(); ++p) store(PieceIndex(p));
  }
  bool is_verified(const std::string& path) {
    return image().file_state(file(path)).stamp != FileStamp{};
  }
  // False when a minute was not enough.
  bool becomes_verified(const std::string& path) {
    auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!is_verified(path)) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }
  std::vector<StagedDamage> last_look() {
    verifier->finish();
    auto damage = verify_staged(lab.library, *plan, *staging, lab.pool, lab.stop);
    EXPECT_TRUE(damage.has_value()) << damage.error().describe();
    return damage.value_or(std::vector<StagedDamage>{});
  }
  void commit() {
    auto journal = prepare_commit(lab.library, *plan, *staging, "c1");
    ASSERT_OK(journal);
    ASSERT_OK(roll_forward(lab.library, *journal));
    EXPECT_EQ(difference(tree, lab.tree()), "");
  }
  fs::path staged(const std::string& path) const {
    return lab.root() / ".shoal/staging/c1/base" / path;
  }

  Lab lab;
  Tree tree;
  std::vector<test::SampleRelease> releases = {release_of(tree)};
  std::optional<Plan> plan;
  std::optional<Staging> staging;
  std::unique_ptr<StagedVerifier> verifier;
};

Tree two_files() { return {{"a", file_of(noise(1, 200'000))}, {"b", file_of(noise(2, 200'000))}}; }

TEST(StagedVerifier, AFileIsVerifiedOnceItsLastPieceIsThereWhileAnotherIsStillFetched) {
  Fetching it(two_files());
  it.SetUp();
  auto pieces = it.pieces_of("a");
  auto last = pieces.back();
  pieces.pop_back();
  for (auto piece : pieces) it.store(piece);
  it.store(it.pieces_of("b").front());
  EXPECT_FALSE(it.is_verified("a"));
  it.store(last);
  EXPECT_TRUE(it.becomes_verified("a"));
  EXPECT_FALSE(it.is_verified("b"));
  for (auto piece : it.pieces_of("b")) it.store(piece);
  EXPECT_TRUE(it.last_look().empty());
  it.commit();
}

TEST(StagedVerifier, NoWriteReachesAVerifiedFile) {
  Fetching it(two_files());
  it.SetUp();
  for (auto piece : it.pieces_of("a")) it.store(piece);
  ASSERT_TRUE(it.becomes_verified("a"));
  auto before = fs::last_write_time(it.staged("a"));
  for (auto piece : it.pieces_of("a")) it.write(piece, 0xff);
  EXPECT_EQ(fs::last_write_time(it.staged("a")), before);
  for (auto piece : it.pieces_of("b")) it.store(piece);
  EXPECT_TRUE(it.last_look().empty());
  it.commit();
}

TEST(StagedVerifier, PiecesThatArriveTwiceDisturbNothingAtAnyMoment) {
  Fetching it({{"large", file_of(noise(1, 17'000'000))},  // three ranges
               {"medium", file_of(noise(2, 300'000))},
               {"small/1", file_of(noise(3, 5'000))},
               {"small/2", file_of(noise(4, 5'000))}});
  it.SetUp();
  std::atomic<bool> ended = false;
  std::atomic<std::uint32_t> stored = 0;
  std::thread late([&] {
    for (std::uint32_t next = 0; !ended; ++next)
      if (stored > 0) it.write(PieceIndex(next % stored));
  });
  for (std::uint32_t p = 0; p < it.staging->components[0].have.size(); ++p) {
    it.store(PieceIndex(p));
    stored = p + 1;
  }
  EXPECT_TRUE(it.becomes_verified("medium"));
  EXPECT_TRUE(it.last_look().empty());
  it.commit();
  ended = true;
  late.join();
  EXPECT_EQ(difference(it.tree, it.lab.tree()), "");
}

TEST(StagedVerifier, AFileThatIsWrongIsLeftToTheLastLookAndCanBeWrittenAgain) {
  Fetching it(two_files());
  it.SetUp();
  auto wrong = it.pieces_of("a")[1];
  for (auto piece : it.pieces_of("a"))
    if (piece != wrong) it.store(piece);
  it.write(wrong, 0x01);  // as a disk that damages what it is given
  it.verifier->piece_stored(0, wrong);
  for (auto piece : it.pieces_of("b")) it.store(piece);
  ASSERT_TRUE(it.becomes_verified("b"));
  auto damage = it.last_look();
  EXPECT_FALSE(it.is_verified("a"));
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_EQ(damage[0].file, it.file("a"));
  EXPECT_EQ(damage[0].pieces, std::vector{wrong});
  it.store(wrong);
  EXPECT_TRUE(it.last_look().empty());
  it.commit();
}

TEST(StagedVerifier, AFileThatChangesAfterItWasVerifiedIsLookedAtOnceMore) {
  Fetching it(two_files());
  it.SetUp();
  it.store_all();
  ASSERT_TRUE(it.becomes_verified("a"));
  ASSERT_TRUE(it.becomes_verified("b"));
  {
    std::fstream file(it.staged("a"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100'000);
    file << "changed by somebody";
  }
  fs::remove(it.staged("b"));
  std::ofstream(it.staged("b"), std::ios::binary) << it.tree["b"].content;  // equal, but another
  auto damage = it.last_look();
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_EQ(damage[0].pieces, std::vector{it.pieces_of("a")[1]});
  it.store(damage[0].pieces[0]);
  EXPECT_TRUE(it.last_look().empty());
  it.commit();
}

TEST(StagedVerifier, WhatStagingCompletedIsVerifiedWithoutAnyPiece) {
  Fetching it({{"a", file_of(noise(1, 200'000))}, {"empty", file_of("")}});
  it.SetUp();
  EXPECT_TRUE(it.becomes_verified("empty"));
  for (auto piece : it.pieces_of("a")) it.store(piece);
  it.verifier.reset();
  // As after a restart: all of it is found staged.
  auto again = stage(it.lab.library, "c1", *it.plan, it.lab.pool, it.lab.stop);
  ASSERT_OK(again);
  it.staging = std::move(*again);
  EXPECT_FALSE(it.is_verified("a"));
  it.verifier = std::make_unique<StagedVerifier>(it.lab.library, *it.plan, *it.staging, it.lab.pool,
                                                 it.lab.stop);
  EXPECT_TRUE(it.becomes_verified("a"));
  EXPECT_TRUE(it.last_look().empty());
  it.commit();
}

TEST(StagedVerifier, SmallFilesThatShareAPieceAreVerifiedWithIt) {
  Tree tree;
  for (int i = 0; i < 40; ++i)
    tree["s/" + std::to_string(i)] = file_of(noise(static_cast<std::uint64_t>(i), 6'000));
  Fetching it(tree);
  it.SetUp();
  it.store_all();
  for (const auto& [path, node] : tree) EXPECT_TRUE(it.becomes_verified(path)) << path;
  EXPECT_TRUE(it.last_look().empty());
  it.commit();
}

TEST(StagedVerifier, GivenUpInTheMiddleItLeavesTheRestToTheLastLook) {
  Fetching it({{"large", file_of(noise(1, 30'000'000))}, {"b", file_of(noise(2))}});
  it.SetUp();
  it.store_all();
  it.verifier->finish();
  it.verifier->piece_stored(0, PieceIndex(0));
  EXPECT_TRUE(it.last_look().empty());
  EXPECT_TRUE(it.is_verified("large"));
  it.commit();
}

TEST(StagedVerifier, AChangeThatIsStoppedVerifiesNothingMore) {
  Fetching it(two_files());
  it.SetUp();
  it.lab.stop.request_stop();
  it.store_all();
  it.verifier->finish();
  EXPECT_FALSE(it.is_verified("a"));
  EXPECT_FALSE(it.is_verified("b"));
}

}  // namespace
}  // namespace shoal::install
