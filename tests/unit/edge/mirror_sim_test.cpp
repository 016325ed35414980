// Whole downloads from several mirrors, simulated: when they finish, who gave how much, and what
// was fetched twice. Each scenario prints its figures.
#include "mirror_sim.hpp"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace shoal::test {
namespace {

constexpr double kMbit = 1'000'000.0 / 8;
constexpr std::uint64_t kFrameBytes = 128 * 1024;

SimMirror at_mbit(double rate) {
  SimMirror mirror;
  mirror.rate = rate * kMbit;
  return mirror;
}

MirrorSimResult run(const std::string& name, const std::vector<SimMirror>& mirrors,
                    const MirrorSimOptions& options = {}) {
  auto result = simulate_mirrors(options, mirrors);
  fmt::print("{:<36} {:>6.1f} s, {:.2f} MB twice, {} overtaken, {} stalled;", name,
             static_cast<double>(result.finished_ms) / 1000,
             static_cast<double>(result.useless_bytes) / 1e6, result.overtaken, result.stalled);
  for (const auto& mirror : result.mirrors)
    fmt::print("  {:.1f} MB in {}", static_cast<double>(mirror.bytes) / 1e6, mirror.requests);
  fmt::print("\n");
  EXPECT_GT(result.finished_ms, 0U) << name;
  return result;
}

// 32 MiB: the fast mirror alone needs 6.8 s.
std::uint64_t alone_ms() { return run("40 Mbit/s", {at_mbit(40)}).finished_ms; }

TEST(MirrorSim, a_slow_mirror_is_of_help_and_not_in_the_way) {
  auto alone = alone_ms();
  for (double slow : {20.0, 2.0, 0.2}) {
    for (bool slow_first : {false, true}) {
      std::vector<SimMirror> mirrors{at_mbit(40), at_mbit(slow)};
      if (slow_first) std::swap(mirrors[0], mirrors[1]);
      auto result = run(fmt::format("40 and {} Mbit/s", slow), mirrors);
      EXPECT_LE(result.finished_ms, alone + 200);
      EXPECT_LE(result.useless_bytes, 4 * kFrameBytes);
      const auto& given = result.mirrors[slow_first ? 0 : 1];
      EXPECT_LE(given.first_request_bytes, 256U * 1024);
      EXPECT_GT(given.bytes, 0U);
    }
  }
}

TEST(MirrorSim, one_of_half_the_rate_does_a_third_of_the_work) {
  auto result = run("40 and 20 Mbit/s", {at_mbit(40), at_mbit(20)});
  EXPECT_LE(result.finished_ms, 5500U);  // 4.5 s are possible
}

TEST(MirrorSim, two_equal_ones_share) {
  auto result = run("40 and 40 Mbit/s", {at_mbit(40), at_mbit(40)});
  EXPECT_LE(result.finished_ms, 4000U);  // 3.4 s are possible
  EXPECT_GT(result.mirrors[1].bytes * 5, result.mirrors[0].bytes * 4);
}

// A scheduler that asks for little at a time must not have its few pieces lie on a slow mirror.
TEST(MirrorSim, with_little_wanted_at_a_time_a_slow_mirror_is_only_tried) {
  MirrorSimOptions options;
  options.window_frames = 24;
  auto alone = run("40 Mbit/s, 3 MB at a time", {at_mbit(40)}, options);
  auto both = run("40 and 2 Mbit/s, 3 MB at a time", {at_mbit(40), at_mbit(2)}, options);
  EXPECT_LE(both.finished_ms, alone.finished_ms + 200);
  EXPECT_LE(both.mirrors[1].requests, 2U);
}

TEST(MirrorSim, what_a_mirror_that_falls_silent_was_asked_for_comes_from_the_other) {
  auto silent = at_mbit(40);
  silent.stalls_ms = 1000;
  auto result = run("40 falls silent, and 40 Mbit/s", {silent, at_mbit(40)});
  EXPECT_LE(result.longest_wait_ms, 6000U);
  EXPECT_LE(result.finished_ms, 6800U);
}

TEST(MirrorSim, a_mirror_that_is_silent_for_a_while_is_found_again) {
  auto silent = at_mbit(40);
  silent.stalls_ms = 1000;
  silent.recovers_ms = 10'000;
  auto result = run("40 Mbit/s, silent for 9 s", {silent});
  EXPECT_LE(result.finished_ms, 6800U + 9000 + 1000);
}

TEST(MirrorSim, a_mirror_that_becomes_slow_is_left) {
  auto tired = at_mbit(40);
  tired.changes_ms = 2000;
  tired.rate_later = 1 * kMbit;
  auto result = run("40, then 1, and 20 Mbit/s", {tired, at_mbit(20)});
  EXPECT_LE(result.finished_ms, 10'500U);  // 8.7 s are possible
  EXPECT_LE(result.useless_bytes, 8 * kFrameBytes);
}

TEST(MirrorSim, a_mirror_that_becomes_fast_is_noticed) {
  auto rested = at_mbit(1);
  rested.changes_ms = 5000;
  rested.rate_later = 40 * kMbit;
  MirrorSimOptions options;
  options.frames = 2048;
  auto result = run("1, then 40, and 10 Mbit/s; 256 MiB", {rested, at_mbit(10)}, options);
  EXPECT_LE(result.finished_ms, 65'000U);  // 47 s are possible; without it 214
}

}  // namespace
}  // namespace shoal::test
