// The hub with timers driven by hand: pace, numbers, ring, resync.
#include "api/event_hub.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/events.hpp"

namespace shoal::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct ManualLoop final : Executor, Timers {
  struct Timer {
    std::chrono::milliseconds at;
    std::function<void()> task;
  };
  std::chrono::milliseconds now{0};
  std::vector<std::function<void()>> posted;
  std::map<Id, Timer> timers;
  Id next = 1;

  void post(std::function<void()> task) override { posted.push_back(std::move(task)); }
  Id after(std::chrono::milliseconds delay, std::function<void()> task) override {
    timers[next] = {now + delay, std::move(task)};
    return next++;
  }
  void cancel(Id timer) override { timers.erase(timer); }

  void turn() {
    while (!posted.empty()) {
      auto tasks = std::exchange(posted, {});
      for (auto& task : tasks) task();
    }
  }
  void advance(std::chrono::milliseconds by) {
    turn();
    auto end = now + by;
    while (true) {
      auto due = timers.end();
      for (auto it = timers.begin(); it != timers.end(); ++it)
        if (it->second.at <= end && (due == timers.end() || it->second.at < due->second.at))
          due = it;
      if (due == timers.end()) break;
      now = due->second.at;
      auto task = std::move(due->second.task);
      timers.erase(due);
      task();
      turn();
    }
    now = end;
  }
};

struct FakeStream final : http::Stream {
  std::string bytes;
  bool is_open = true;
  std::function<void()> on_closed;

  void write(std::string more) override { bytes += more; }
  void close() override { is_open = false; }
  bool open() const override { return is_open; }
  // "name:data" for each event.
  std::vector<std::string> events() const {
    protocol::EventParser parser;
    std::vector<protocol::Event> parsed;
    EXPECT_TRUE(parser.feed(bytes, parsed));
    std::vector<std::string> shown;
    for (const auto& event : parsed) shown.push_back(event.name + ":" + event.data);
    return shown;
  }
  std::string last_id() const {
    protocol::EventParser parser;
    std::vector<protocol::Event> parsed;
    EXPECT_TRUE(parser.feed(bytes, parsed));
    return parsed.empty() ? "" : parsed.back().id;
  }
};

struct EventHubTest : testing::Test {
  ManualLoop loop;
  std::map<std::string, std::pair<std::string, std::string>> resources;  // id → data, stage
  int renders = 0;
  HubLimits limits;
  std::unique_ptr<EventHub> hub;

  void SetUp() override { make_hub(); }
  void make_hub(const std::string& run = "run") {
    hub = std::make_unique<EventHub>(
        loop, loop, limits, run,
        [this](const std::string& resource, const std::string& id) -> std::optional<Rendered> {
          ++renders;
          auto found = resources.find(id);
          if (found == resources.end()) return std::nullopt;
          return Rendered{resource, found->second.first, found->second.second};
        });
  }
  std::shared_ptr<FakeStream> subscribe(const std::string& last = "") {
    auto stream = std::make_shared<FakeStream>();
    hub->subscribe(
        [&](std::function<void()> on_closed) {
          stream->on_closed = std::move(on_closed);
          return stream;
        },
        last, nullptr);
    return stream;
  }
  void happen(const std::string& id, const std::string& data, const std::string& stage = "run") {
    resources[id] = {data, stage};
    hub->happened("change", id);
    loop.turn();
  }
};

TEST_F(EventHubTest, NewReaderIsToldToReadEverythingOnce) {
  auto stream = subscribe();
  EXPECT_THAT(stream->events(), ElementsAre("resync:{}"));
}

TEST_F(EventHubTest, ThousandProgressReportsASecondBecomeFiveEvents) {
  auto stream = subscribe();
  for (int i = 0; i < 1000; ++i) {
    happen("c1", std::to_string(i));
    loop.advance(std::chrono::milliseconds(1));
  }
  EXPECT_LE(stream->events().size(), 1u + 6u);
  loop.advance(limits.interval);
  EXPECT_EQ(stream->events().back(), "change:999") << "the last state is never lost";
  std::size_t before = stream->bytes.size();
  loop.advance(std::chrono::seconds(10));
  EXPECT_EQ(stream->bytes.size(), before) << "nothing happens, nothing is sent";
}

TEST_F(EventHubTest, ManyReportsInOneTurnAreRenderedOnce) {
  for (int i = 0; i < 100; ++i) hub->happened("change", "c1");
  loop.turn();
  EXPECT_EQ(renders, 1);
}

TEST_F(EventHubTest, ChangeOfStageIsToldAtOnce) {
  auto stream = subscribe();
  happen("c1", "1");
  happen("c1", "2");
  happen("c1", "3", "done");
  EXPECT_THAT(stream->events(), ElementsAre("resync:{}", "change:1", "change:3"));
}

TEST_F(EventHubTest, ResourcesDoNotHoldEachOtherUp) {
  auto stream = subscribe();
  happen("c1", "1");
  happen("c2", "2");
  EXPECT_THAT(stream->events(), ElementsAre("resync:{}", "change:1", "change:2"));
}

TEST_F(EventHubTest, ResourceThatIsGoneIsToldAsRemoved) {
  auto stream = subscribe();
  hub->happened("install", "7");
  loop.turn();
  EXPECT_THAT(stream->events(),
              ElementsAre("resync:{}", R"(removed:{"resource":"install","id":"7"})"));
}

TEST_F(EventHubTest, ReaderThatComesBackGetsWhatItMissed) {
  auto first = subscribe();
  happen("c1", "1");
  std::string id = first->last_id();
  first->on_closed();
  EXPECT_EQ(hub->subscribers(), 0u);
  happen("c2", "2");
  happen("c3", "3");
  auto again = subscribe(id);
  EXPECT_THAT(again->events(), ElementsAre("change:2", "change:3"));
  happen("c4", "4");
  EXPECT_EQ(again->events().back(), "change:4");
}

TEST_F(EventHubTest, ReaderThatMissedNothingGetsNothing) {
  auto first = subscribe();
  happen("c1", "1");
  EXPECT_THAT(subscribe(first->last_id())->events(), IsEmpty());
}

TEST_F(EventHubTest, GapIsToldAsResync) {
  limits.ring_events = 3;
  make_hub();
  auto first = subscribe();
  happen("c1", "1");
  std::string id = first->last_id();
  for (int i = 2; i < 6; ++i) happen("c" + std::to_string(i), std::to_string(i));
  EXPECT_THAT(subscribe(id)->events(), ElementsAre("resync:{}"));
}

TEST_F(EventHubTest, RingIsBoundedInBytesToo) {
  limits.ring_bytes = 1000;
  make_hub();
  auto first = subscribe();
  happen("c1", "1");
  std::string id = first->last_id();
  happen("c2", std::string(600, 'x'));
  happen("c3", std::string(600, 'x'));
  EXPECT_THAT(subscribe(id)->events(), ElementsAre("resync:{}"));
}

TEST_F(EventHubTest, IdOfAnotherRunOrNonsenseIsAGap) {
  auto first = subscribe();
  happen("c1", "1");
  std::string id = first->last_id();
  make_hub("later");
  EXPECT_THAT(subscribe(id)->events(), ElementsAre("resync:{}"));
  for (const char* nonsense : {"later-", "later-x", "later-99", "later--1", "-", "\n", "later-1x"})
    EXPECT_THAT(subscribe(nonsense)->events(), ElementsAre("resync:{}")) << nonsense;
}

TEST_F(EventHubTest, KeepsQuietStreamsAliveAndSleepsWithoutReaders) {
  auto stream = subscribe();
  std::size_t before = stream->bytes.size();
  loop.advance(limits.keep_alive);
  EXPECT_EQ(stream->bytes.substr(before), protocol::keep_alive_comment());
  stream->on_closed();
  loop.advance(limits.keep_alive * 3);
  EXPECT_TRUE(loop.timers.empty());
}

TEST_F(EventHubTest, ClosedHubLeavesNothingBehind) {
  auto stream = subscribe();
  happen("c1", "1");
  hub->happened("change", "c1");
  hub.reset();
  EXPECT_FALSE(stream->open());
  EXPECT_TRUE(loop.timers.empty());
  loop.turn();          // what was posted finds the hub gone
  stream->on_closed();  // as does a late end of the stream
}

}  // namespace
}  // namespace shoal::api
