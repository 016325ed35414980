// The event stream's middle: takes "this resource changed" from the agent, at any rate, and gives
// each subscriber the resource's JSON, at a bearable rate, with numbers to continue from.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "api/user_limit.hpp"
#include "base/event_loop.hpp"
#include "http/server.hpp"

namespace shoal::api {

// A resource as an event shows it.
struct Rendered {
  std::string event;  // the event's name
  std::string data;   // one line of JSON
  std::string stage;  // when this differs from the last event's, the event is sent at once
};

struct HubLimits {
  std::chrono::milliseconds interval{200};       // between two events of one resource
  std::chrono::milliseconds keep_alive{15'000};  // shorter than any proxy's or client's patience
  std::size_t ring_events = 1024;                // kept for clients that come back
  // All of the ring must fit into one stream's backlog (http::Limits).
  std::size_t ring_bytes = 512 << 10;
};

// Loop thread only.
class EventHub {
 public:
  using Render =
      std::function<std::optional<Rendered>(const std::string& resource, const std::string& id)>;

  // run: tells this run's event ids from an earlier one's. Render gives a resource as it is now;
  // it is called from the loop, never from within happened(). Empty: the resource is gone.
  EventHub(Executor& executor, Timers& timers, HubLimits limits, std::string run, Render render);
  ~EventHub();  // closes the streams
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  void happened(const std::string& resource, const std::string& id);

  using OpenStream = std::function<std::shared_ptr<http::Stream>(std::function<void()> on_closed)>;
  // Opens a stream and sends what its reader missed since last_event_id, or `resync` when that
  // cannot be told. The slot is held as long as the stream.
  void subscribe(const OpenStream& open, const std::string& last_event_id, UserLimit::Slot slot);
  std::size_t subscribers() const { return subscribers_.size(); }

 private:
  using Key = std::pair<std::string, std::string>;  // resource, id
  struct Pace {  // a resource that had an event within the interval
    Timers::Id timer = 0;
    std::string stage;
    bool dirty = false;
  };
  struct Entry {
    std::uint64_t number;
    std::string wire;
  };
  struct Subscriber {
    std::shared_ptr<http::Stream> stream;
    UserLimit::Slot slot;
  };

  void schedule_flush();
  void flush();
  void emit(const Key& key, Pace& pace, Rendered rendered);
  void interval_over(const Key& key);
  void publish(const std::string& event, const std::string& data);
  void to_all(const std::string& wire);
  std::string id_of(std::uint64_t number) const;
  // The number in an id of this run; empty for any other text.
  std::optional<std::uint64_t> number_of(const std::string& id) const;
  void arm_keep_alive();

  Executor& executor_;
  Timers& timers_;
  HubLimits limits_;
  std::string run_;
  Render render_;

  std::map<Key, Pace> paces_;
  std::map<Key, bool> pending_;  // changed since the last flush
  bool flush_scheduled_ = false;
  std::deque<Entry> ring_;
  std::size_t ring_bytes_ = 0;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Subscriber> subscribers_;
  std::uint64_t next_subscriber_ = 1;
  Timers::Id keep_alive_timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // posted tasks hold it weakly
};

}  // namespace shoal::api
