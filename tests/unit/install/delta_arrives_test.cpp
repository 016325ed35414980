// A delta is decoded while its pieces arrive: what is made when, and how the waiting ends.
#include <thread>

#include "delta_lab.hpp"

namespace shoal::install {
namespace {

// One whose delta arrives while it is staged, on a thread of its own.
struct Arriving {
  DeltaLab& delta;
  StagedComponent fetched;
  std::shared_ptr<DeltaFeed> feed;
  std::optional<Result<Staging>> staging;
  std::jthread staging_thread;

  Arriving(DeltaLab& of_delta, const Plan& plan, const StepHook& step = {})
      : delta(of_delta),
        fetched(*stage_delta(delta.lab.library, "c2", "base", *delta.delta.artifact,
                             delta.delta.piece_hashes, delta.lab.pool, delta.lab.stop)),
        feed(std::make_shared<DeltaFeed>(fetched.image, fetched.have)) {
    staging_thread = std::jthread([this, &plan, step] {
      staging = stage(delta.lab.library, "c2", plan, delta.lab.pool, delta.lab.stop, step, {feed});
    });
  }
  ~Arriving() { feed->fail({ErrorKind::cancelled, "the test is over", {}}); }
  std::uint32_t pieces() const { return fetched.have.size(); }
  void bring(std::uint32_t piece) {
    auto at = std::size_t{piece} * delta.delta.artifact->piece_size;
    ASSERT_OK(fetched.image->write(
        at, ByteView(delta.delta.image).subspan(at, delta.delta.artifact->piece_size)));
    feed->arrived(PieceIndex(piece));
  }
  bool waits_for(std::uint32_t piece) const {
    return soon([&] { return feed->position() == PieceIndex(piece); });
  }
  static bool soon(const std::function<bool()>& condition) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
  const Result<Staging>& outcome() {
    staging_thread.join();
    return *staging;
  }
};

// Its second part is new, and does not compress: the delta has a block of that, and pieces to be
// waited for while the first one is made already.
constexpr std::size_t kArrivingBytes = 4 << 20;
Tree arriving_tree(bool is_new) {
  auto changed = noise(9, kArrivingBytes);
  Tree tree = {{"a", file_of(is_new ? sprinkled(changed) : changed)}};
  if (is_new) tree["b"] = file_of(noise(10, 6 << 20));
  return tree;
}

TEST(DeltaArrives, WindowsAreMadeBeforeTheLastPieceIsThere) {
  DeltaLab delta(arriving_tree(false), arriving_tree(true));
  auto plan = delta.plan();
  ASSERT_OK(plan);
  Arriving arriving(delta, *plan);
  const auto last = arriving.pieces() - 1;
  ASSERT_GT(last, 100u);
  for (std::uint32_t p = last; p-- > 0;) arriving.bring(p);  // in the least useful order
  EXPECT_TRUE(Arriving::soon([&] { return arriving.feed->made_bytes() >= kArrivingBytes; }));
  EXPECT_TRUE(arriving.waits_for(last));
  EXPECT_EQ(test::read_text(delta.lab.root() / ".shoal/staging/c2/base/a"),
            arriving_tree(true)["a"].content);
  arriving.bring(last);
  const auto& staging = arriving.outcome();
  ASSERT_OK(staging);
  EXPECT_FALSE(staging->components[0].delta_error);
  EXPECT_EQ(arriving.feed->made_bytes(), staging->delta_bytes);
  ASSERT_OK(delta.finish(*plan, *staging));
  EXPECT_EQ(delta.lab.fetched_bytes, 0u);
  EXPECT_EQ(difference(arriving_tree(true), delta.lab.tree()), "");
}

TEST(DeltaArrives, OneThatIsGivenUpHalfWayCostsOnlyWhatItHadNotMade) {
  DeltaLab delta(arriving_tree(false), arriving_tree(true));
  auto plan = delta.plan();
  ASSERT_OK(plan);
  Arriving arriving(delta, *plan);
  const auto last = arriving.pieces() - 1;
  for (std::uint32_t p = 0; p < last; ++p) arriving.bring(p);
  ASSERT_TRUE(arriving.waits_for(last));
  arriving.feed->give_up({ErrorKind::source_unavailable, "nobody has it", {}});
  const auto& staging = arriving.outcome();
  ASSERT_OK(staging);
  ASSERT_TRUE(staging->components[0].delta_error);
  EXPECT_EQ(staging->components[0].delta_error->kind, ErrorKind::source_unavailable);
  EXPECT_EQ(staging->delta_bytes, kArrivingBytes);  // of whole files
  ASSERT_OK(delta.finish(*plan, *staging));
  EXPECT_GT(delta.lab.fetched_bytes, 0u);
  EXPECT_LE(delta.lab.fetched_bytes, 5u << 20);  // less than all of "b"
  EXPECT_EQ(difference(arriving_tree(true), delta.lab.tree()), "");
}

TEST(DeltaArrives, AFetchThatCannotGoOnEndsTheStaging) {
  DeltaLab delta(arriving_tree(false), arriving_tree(true));
  auto plan = delta.plan();
  ASSERT_OK(plan);
  Arriving arriving(delta, *plan);
  arriving.feed->fail({ErrorKind::disk_full, "no room for the delta", {}});
  const auto& staging = arriving.outcome();
  ASSERT_FALSE(staging);
  EXPECT_EQ(staging.error().kind, ErrorKind::disk_full);
}

TEST(DeltaArrives, StoppingEndsTheWait) {
  DeltaLab delta(arriving_tree(false), arriving_tree(true));
  auto plan = delta.plan();
  ASSERT_OK(plan);
  Arriving arriving(delta, *plan);
  arriving.bring(0);
  ASSERT_TRUE(arriving.waits_for(1));
  delta.lab.stop.request_stop();
  const auto& staging = arriving.outcome();
  ASSERT_FALSE(staging);
  EXPECT_EQ(staging.error().kind, ErrorKind::cancelled);
}

}  // namespace
}  // namespace shoal::install
