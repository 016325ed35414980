// Whatever the edit, what comes out is what went in; and what it costs is in proportion.
#include "base/worker_pool.hpp"
#include "delta/block.hpp"
#include "round_trip.hpp"
#include "samples.hpp"

namespace shoal::delta {
namespace {

using namespace test;

constexpr std::size_t kMiB = 1 << 20;

TEST(DeltaCodec, NothingOldAndNothingNewAreNoBytes) {
  EXPECT_TRUE(make_delta({}, {}).delta.empty());
  EXPECT_TRUE(make_delta({to_bytes("old")}, {}).delta.empty());
  EXPECT_TRUE(make_delta({}, {Bytes{}, Bytes{}}).delta.empty());
}

TEST(DeltaCodec, NewFilesWithoutOldOnesComeThroughWhole) {
  Random random(1);
  expect_round_trip({}, {random_bytes(random, 1), Bytes{}, random_bytes(random, 3 * kMiB + 7)});
}

TEST(DeltaCodec, RandomEditsOfRandomTreesRoundTrip) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Files old_files, new_files;
    for (std::size_t i = below(random, 5) + 1; i > 0; --i) {
      old_files.push_back(random_bytes(random, below(random, 20000)));
    }
    for (std::size_t i = below(random, 5) + 1; i > 0; --i) {
      Bytes file = edited(random, old_files[below(random, old_files.size())],
                          static_cast<unsigned>(below(random, 12)));
      const auto& other = old_files[below(random, old_files.size())];
      if (below(random, 3) == 0) file.insert(file.end(), other.begin(), other.end());
      new_files.push_back(std::move(file));
    }
    expect_round_trip(old_files, new_files);
  }
}

TEST(DeltaCodec, SizesAroundTheWindowRoundTrip) {
  Random random(7);
  const Bytes old_file = random_bytes(random, 2 * kWindowBytes + 100);
  for (const std::uint64_t size : {kWindowBytes - 1, kWindowBytes, kWindowBytes + 1,
                                   2 * kWindowBytes - 1, 2 * kWindowBytes, 2 * kWindowBytes + 1}) {
    SCOPED_TRACE(size);
    Bytes fresh(old_file.begin(), old_file.begin() + static_cast<std::ptrdiff_t>(size));
    fresh[kWindowBytes - 2] ^= 1;
    fresh.back() ^= 1;
    expect_round_trip({old_file}, {fresh});
  }
}

TEST(DeltaCodec, WindowsOnSeveralThreadsGiveTheSame) {
  Random random(8);
  WorkerPool workers(3);
  const Bytes old_file = random_bytes(random, 5 * kMiB);
  expect_round_trip({old_file}, {edited(random, old_file, 200)}, &workers);
}

TEST(DeltaCodec, MovedAndMergedFilesCostLittle) {
  Random random(9);
  const Files old_files = {random_bytes(random, kMiB), random_bytes(random, kMiB)};
  Bytes merged = old_files[1];
  merged.insert(merged.end(), old_files[0].begin(), old_files[0].end());
  const auto made = make_delta(old_files, {merged});
  EXPECT_LT(made.delta.size(), 200U);
  expect_round_trip(old_files, {merged});
}

TEST(DeltaCodec, AProgramWhoseFunctionsMovedCostsLittle) {
  const Program program(3, 2000);
  for (const auto link : {&Program::link, &Program::link_pe}) {
    const Files old_files = {(program.*link)(0, 0)};
    const Files new_files = {(program.*link)(1000, 48)};
    const auto made = make_delta(old_files, new_files);
    EXPECT_GT(made.statistics.reference_bytes, 2000U * 11);
    EXPECT_LT(made.statistics.wrong_references, 20U);
    EXPECT_LT(made.delta.size(), 1000U);
    expect_round_trip(old_files, new_files);
  }
}

// 16 bytes of text are cheaper as literals; in an object they keep its tables in step.
TEST(DeltaCodec, SmallPiecesOfObjectsAreCovered) {
  Random random(12);
  const auto literals = [&](std::string_view head) {
    Bytes old_file = to_bytes(head);
    Bytes new_file = old_file;
    for (int i = 0; i < 500; ++i) {
      const Bytes piece = random_bytes(random, 16);
      old_file.insert(old_file.end(), piece.begin(), piece.end());
      new_file.insert(new_file.begin() + static_cast<std::ptrdiff_t>(head.size()), piece.begin(),
                      piece.end());  // in the opposite order
    }
    expect_round_trip({old_file}, {new_file});
    return make_delta({old_file}, {new_file}).statistics.literal_bytes;
  };
  EXPECT_GT(literals("text"), 4000U);
  EXPECT_LT(literals("\177ELF"), 1000U);
}

TEST(DeltaCodec, StatisticsAddUpToTheNewBytes) {
  const Program program(4, 500);
  Random random(10);
  const Files old_files = {program.link(0, 0), random_bytes(random, 30000)};
  const Files new_files = {program.link(100, 16), edited(random, old_files[1], 10)};
  const auto made = make_delta(old_files, new_files);
  const auto& is = made.statistics;
  EXPECT_EQ(is.literal_bytes + is.difference_bytes + is.reference_bytes + is.equal_bytes,
            new_files[0].size() + new_files[1].size());
  EXPECT_EQ(is.delta_bytes, made.delta.size());
}

TEST(DeltaCodec, AStopEndsTheEncoding) {
  EncodeOptions options;
  options.stop.request_stop();
  options.write = [](ByteView) -> Result<void> { return {}; };
  const Bytes file(100000, 1);
  const auto made = encode({file}, {file}, options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::cancelled);
}

// Several blocks, files that share streams, programs, and bytes that nothing shortens.
TEST(DeltaCodec, TheDeltaIsTheSameWhateverTheNumberOfWorkers) {
  Random random(21);
  const Program program(6, 40), other(7, 60);
  const Bytes large = random_bytes(random, 50000);
  const Bytes text(40000, 'a');
  const Files old_files = {program.link(0, 0), other.link(0, 0), large, text};
  const Files new_files = {edited(random, text, 20), other.link(8, 32),
                           random_bytes(random, kBlockTargetBytes), edited(random, large, 50),
                           program.link(20, 16)};
  const auto alone = make_delta(old_files, new_files);
  EXPECT_GT(alone.delta.size(), kBlockTargetBytes);
  WorkerPool workers(3);
  const auto made = make_delta(old_files, new_files, EncodeOptions{}.memory_bytes, &workers);
  EXPECT_TRUE(made.delta == alone.delta);
  ASSERT_EQ(made.statistics.files.size(), alone.statistics.files.size());
  for (std::size_t i = 0; i < alone.statistics.files.size(); ++i) {
    EXPECT_EQ(made.statistics.files[i].delta_bytes, alone.statistics.files[i].delta_bytes) << i;
  }
  const auto applied = apply_delta(old_files, sizes_of(new_files), alone.delta);
  ASSERT_TRUE(applied) << applied.error().describe();
  EXPECT_TRUE(*applied == new_files);
}

TEST(DeltaCodec, AnErrorOrAStopEndsAllWorkers) {
  Random random(22);
  const Files old_files = {random_bytes(random, 3 * kMiB), random_bytes(random, 3 * kMiB)};
  Files new_files = old_files;
  for (auto& file : new_files) file = edited(random, file, 500);
  WorkerPool workers(3);
  EncodeOptions options;
  options.workers = &workers;
  options.write = [](ByteView) -> Result<void> { return fail(ErrorKind::io_error, "full"); };
  const auto full = encode(views(old_files), views(new_files), options);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, ErrorKind::io_error);
  options.stop.request_stop();
  const auto stopped = encode(views(old_files), views(new_files), options);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::cancelled);
}

// A delta is covered by a signed hash and its outcome by merkle roots; still, whatever bytes it
// holds, the decoder ends, within its limits and inside the files.
TEST(DeltaDamage, EveryTruncationIsAnError) {
  const Program program(5, 40);
  const Files old_files = {program.link(0, 0)};
  const auto made = make_delta(old_files, {program.link(20, 16)});
  const auto sizes = sizes_of({program.link(20, 16)});
  for (std::size_t size = 0; size < made.delta.size(); ++size) {
    EXPECT_FALSE(apply_delta(old_files, sizes, ByteView(made.delta).first(size))) << size;
  }
}

TEST(DeltaDamage, EveryFlippedByteEndsSafely) {
  const Program program(6, 40);
  const Files old_files = {program.link(0, 0)};
  const Files new_files = {program.link(20, 16)};
  const auto made = make_delta(old_files, new_files);
  for (std::size_t at = 0; at < made.delta.size(); ++at) {
    for (const std::uint8_t mask : {0x01, 0x80, 0xFF}) {
      Bytes damaged = made.delta;
      damaged[at] ^= mask;
      const auto applied = apply_delta(old_files, sizes_of(new_files), damaged);
      if (!applied) {
        EXPECT_NE(applied.error().kind, ErrorKind::internal) << applied.error().describe();
      }
    }
  }
}

// Millions of windows fit in a block, and what is known of each is larger than its record.
TEST(DeltaDamage, APlanOfManyWindowsIsFollowedInBatches) {
  constexpr std::size_t kFiles = 1000;
  content::ByteWriter plan;
  for (std::size_t i = 0; i < kFiles; ++i) {
    const bool last = i + 1 == kFiles;
    for (const unsigned number : {last ? 2U : 1U, 0U, 0U, 0U}) plan.varint(number);  // part
    for (const unsigned share : {1U, 0U, 0U, 0U, 0U}) plan.varint(share);            // window
  }
  std::array<PackedStream, kStreamCount> streams;
  streams[0].bytes = plan.take();
  streams[1].bytes = Bytes(kFiles, 'x');
  for (auto& packed : streams) packed.plain_size = packed.bytes.size();
  Bytes delta = format_block(kFiles, streams);

  ByteView rest = delta;
  std::size_t written = 0;
  DecodeOptions options;
  options.read = [&](MutableByteView out) -> Result<void> {
    std::copy_n(rest.begin(), out.size(), out.begin());
    rest = rest.subspan(out.size());
    return {};
  };
  options.write = [&](std::size_t, std::uint64_t, ByteView) -> Result<void> {
    ++written;
    return {};
  };
  const auto decoded = decode({}, std::vector<std::uint64_t>(kFiles, 1), options);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().kind, ErrorKind::metadata_invalid);
  EXPECT_GT(written, kFiles - 100);
}

// One old file that was changed costs what is made from it, not all that follows.
TEST(DeltaDamage, WindowsThatDoNotFitCanBeLeftOut) {
  const Program program(6, 40);
  Random random(12);
  const Bytes plain = random_bytes(random, 5000);
  const Files new_files = {program.link(20, 16), edited(random, plain, 10)};
  const auto made = make_delta({program.link(0, 0), plain}, new_files);
  int left_out = 0;
  for (int i = 0; i < 50; ++i) {
    Bytes other = program.link(0, 0);
    for (int n = 0; n < 20; ++n)
      other[below(random, other.size())] = static_cast<std::uint8_t>(random());
    const auto applied = apply_delta({other, plain}, sizes_of(new_files), made.delta, nullptr,
                                     [&] { return ++left_out > 0; });
    ASSERT_TRUE(applied) << applied.error().describe();
    EXPECT_TRUE(applied->back() == new_files.back());
  }
  EXPECT_GT(left_out, 0);
}

// Bytes that must not be asked for up to some place.
struct SourceWithout final : ByteSource {
  SourceWithout(ByteView all, std::uint64_t first_readable) : bytes(all), from(first_readable) {}
  std::uint64_t size() const override { return bytes.size(); }
  Result<void> read(std::uint64_t offset, MutableByteView out) const override {
    if (offset < from) return fail(ErrorKind::io_error, "read what is not wanted");
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }
  ByteView bytes;
  std::uint64_t from;
};

TEST(DeltaResume, WindowsThatAreNotWantedAreNeitherReadNorMade) {
  Random random(13);
  const Bytes old_file = random_bytes(random, 6 * kWindowBytes);
  const Bytes new_file = edited(random, old_file, 40);
  const auto made = make_delta({old_file}, {new_file});
  constexpr std::uint64_t kWantedFrom = 4 * kWindowBytes;
  SourceWithout source(old_file, kWantedFrom - kWindowBytes);
  ByteView rest = made.delta;
  Bytes out(new_file.size());
  std::mutex mutex;
  std::uint64_t written = 0;
  WorkerPool workers(2);
  DecodeOptions options;
  options.workers = &workers;
  options.read = [&](MutableByteView bytes) -> Result<void> {
    std::copy_n(rest.begin(), bytes.size(), bytes.begin());
    rest = rest.subspan(bytes.size());
    return {};
  };
  options.wants = [&](std::size_t, std::uint64_t offset, std::uint64_t size) {
    return offset + size > kWantedFrom;
  };
  options.write = [&](std::size_t, std::uint64_t offset, ByteView bytes) -> Result<void> {
    std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(offset));
    std::lock_guard lock(mutex);
    written += bytes.size();
    return {};
  };
  const auto decoded = decode({&source}, {new_file.size()}, options);
  ASSERT_TRUE(decoded) << decoded.error().describe();
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(written, new_file.size() - kWantedFrom);
  EXPECT_TRUE(std::equal(out.begin() + kWantedFrom, out.end(), new_file.begin() + kWantedFrom));
}

TEST(DeltaDamage, AnOldFileThatIsAnotherOneEndsSafely) {
  const Program program(6, 40);
  const Files new_files = {program.link(20, 16)};
  const auto made = make_delta({program.link(0, 0)}, new_files);
  Random random(11);
  for (int i = 0; i < 50; ++i) {
    Bytes other = program.link(0, 0);
    for (int n = 0; n < 20; ++n)
      other[below(random, other.size())] = static_cast<std::uint8_t>(random());
    const auto applied = apply_delta({other}, sizes_of(new_files), made.delta);
    if (!applied) {
      EXPECT_EQ(applied.error().kind, ErrorKind::metadata_invalid);
    }
  }
}

}  // namespace
}  // namespace shoal::delta
