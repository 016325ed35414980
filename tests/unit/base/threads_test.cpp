// The worker pool, the event loop, clocks and the log.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <string>

#include "base/clock.hpp"
#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "base/worker_pool.hpp"

namespace shoal {
namespace {

using namespace std::chrono_literals;

TEST(WorkerPool, RunsPostedTasks) {
  std::promise<int> done;  // outlives the pool, whose thread may still be in set_value()
  WorkerPool pool(2);
  pool.post([&] { done.set_value(7); });
  EXPECT_EQ(done.get_future().get(), 7);
  EXPECT_EQ(pool.size(), 2U);
}

TEST(WorkerPool, ZeroMeansOneThreadPerProcessor) { EXPECT_GE(WorkerPool(0).size(), 1U); }

TEST(WorkerPool, ParallelForDoesEveryIndexExactlyOnce) {
  WorkerPool pool(3);
  for (std::size_t count : {0U, 1U, 2U, 3U, 1000U}) {
    std::vector<std::atomic<int>> times(count);
    pool.parallel_for(count, [&](std::size_t i) { ++times[i]; });
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(times[i], 1) << i << " of " << count;
  }
}

TEST(WorkerPool, ParallelForFinishesEvenWhenAllThreadsAreBusy) {
  std::promise<void> release;
  auto gate = release.get_future().share();
  WorkerPool pool(1);
  pool.post([gate] { gate.wait(); });
  std::atomic<int> sum = 0;
  pool.parallel_for(100, [&](std::size_t) { ++sum; });  // the calling thread does it all
  EXPECT_EQ(sum, 100);
  release.set_value();
}

TEST(WorkerPool, ManyLoopsLeaveNoHelperBehindThatTouchesAnEndedLoop) {
  WorkerPool pool(2);
  for (int round = 0; round < 500; ++round) {
    std::vector<int> mine(4, 0);
    pool.parallel_for(mine.size(), [&](std::size_t i) { mine[i] = round; });
    EXPECT_EQ(mine, std::vector<int>(4, round));
  }
}

TEST(WorkerPool, DestructionWaitsForTheTasksThatBegan) {
  std::promise<void> began;
  std::promise<void> release;
  std::atomic<bool> finished = false;
  std::thread opener;
  {
    WorkerPool pool(1);
    pool.post([&] {
      began.set_value();
      release.get_future().wait();
      finished = true;
    });
    began.get_future().wait();
    opener = std::thread([&] { release.set_value(); });
  }
  EXPECT_TRUE(finished);
  opener.join();
}

TEST(EventLoop, RunsTasksOfOtherThreadsInOrder) {
  EventLoop loop;
  std::vector<int> order;
  std::thread poster([&] {
    for (int i = 0; i < 100; ++i) loop.post([&order, i] { order.push_back(i); });
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  poster.join();
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(EventLoop, TimersFireInTheOrderOfTheirDelays) {
  EventLoop loop;
  std::string order;
  loop.after(20ms, [&] {
    order += 'c';
    loop.stop();
  });
  loop.after(0ms, [&] { order += 'a'; });
  loop.after(10ms, [&] { order += 'b'; });
  loop.run();
  EXPECT_EQ(order, "abc");
}

TEST(EventLoop, ACancelledTimerDoesNotFireEvenWhenItIsDue) {
  EventLoop loop;
  bool fired = false;
  Timers::Id victim = 0;
  // Both are due at once: by the time the first runs, the second may be queued already.
  loop.after(0ms, [&] { loop.cancel(victim); });
  victim = loop.after(0ms, [&] { fired = true; });
  loop.after(5ms, [&] { loop.stop(); });
  loop.run();
  EXPECT_FALSE(fired);
}

TEST(EventLoop, CancellingUnknownOrExpiredTimersIsHarmless) {
  EventLoop loop;
  Timers::Id own = 0;
  own = loop.after(0ms, [&] {
    loop.cancel(own);
    loop.cancel(own + 1000);
    loop.stop();
  });
  loop.run();
}

TEST(EventLoop, ATimerMayStartAnother) {
  EventLoop loop;
  int count = 0;
  std::function<void()> again = [&] {
    if (++count == 5)
      loop.stop();
    else
      loop.after(1ms, again);
  };
  loop.after(0ms, again);
  loop.run();
  EXPECT_EQ(count, 5);
}

TEST(EventLoop, DeliversSignalsOnItsThread) {
  EventLoop loop;
  int received = 0;
  std::thread::id where;
  loop.on_signal({SIGUSR1}, [&](int number) {
    where = std::this_thread::get_id();
    if (++received == 2) return loop.stop();
    ::kill(::getpid(), number);
  });
  loop.post([] { ::kill(::getpid(), SIGUSR1); });
  loop.run();
  EXPECT_EQ(received, 2);
  EXPECT_EQ(where, std::this_thread::get_id());
}

TEST(EventLoop, CanBeDestroyedWithTimersAndTasksWaiting) {
  auto witness = std::make_shared<int>(0);
  {
    EventLoop loop;
    loop.after(1h, [witness] { ++*witness; });
    loop.post([witness] { ++*witness; });
  }
  EXPECT_EQ(witness.use_count(), 1) << "the tasks were dropped with the loop";
  EXPECT_EQ(*witness, 0);
}

TEST(Clock, FormatsUtcAsRfc3339) {
  EXPECT_EQ(format_utc(UtcSeconds{0s}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_utc(UtcSeconds{951'827'696s}), "2000-02-29T12:34:56Z");
  EXPECT_EQ(format_utc(UtcSeconds{4'102'444'799s}), "2099-12-31T23:59:59Z");
}

TEST(Clock, SteadyTimeDoesNotGoBack) {
  SystemClock clock;
  auto before = clock.steady();
  EXPECT_GE(clock.steady(), before);
}

std::string logged(const char* journal_stream, LogLevel lowest, auto&& body) {
  if (journal_stream != nullptr)
    ::setenv("JOURNAL_STREAM", journal_stream, 1);
  else
    ::unsetenv("JOURNAL_STREAM");
  testing::internal::CaptureStderr();
  {
    Log log(lowest);
    body(log);
  }
  ::unsetenv("JOURNAL_STREAM");
  return testing::internal::GetCapturedStderr();
}

TEST(Log, NamesLevelAndModuleAndDropsWhatIsBelowTheLowestLevel) {
  auto text = logged(nullptr, LogLevel::warning, [](Log& log) {
    log.info("edge", "not shown {}", 1);
    log.warning("edge", "mirror {} failed", "m");
  });
  EXPECT_EQ(text.find("not shown"), std::string::npos);
  EXPECT_NE(text.find("[edge] mirror m failed"), std::string::npos) << text;
}

TEST(Log, GivesTheJournalPrioritiesAndNoTimeStamps) {
  auto text = logged("8:1234", LogLevel::debug, [](Log& log) {
    log.error("swarm", "broken");
    log.debug("swarm", "detail");
  });
  EXPECT_EQ(text, "<3>[swarm] broken\n<7>[swarm] detail\n");
}

}  // namespace
}  // namespace shoal
