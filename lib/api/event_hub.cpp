// A change of a resource marks it; the next turn of the loop renders it once, however often it was
// marked. After an event the resource rests for the interval, unless its stage changes (a change
// that ends is told at once). Events have consecutive numbers and wait in a ring: who comes back
// with a number still in the ring continues there; anyone else is told to read everything again.
#include "api/event_hub.hpp"

#include <charconv>
#include <vector>

#include "protocol/codec.hpp"
#include "protocol/events.hpp"

namespace shoal::api {

EventHub::EventHub(Executor& executor, Timers& timers, HubLimits limits, std::string run,
                   Render render)
    : executor_(executor),
      timers_(timers),
      limits_(limits),
      run_(std::move(run)),
      render_(std::move(render)) {}

EventHub::~EventHub() {
  alive_.reset();
  for (const auto& [key, pace] : paces_) timers_.cancel(pace.timer);
  if (keep_alive_timer_ != 0) timers_.cancel(keep_alive_timer_);
  auto subscribers = std::move(subscribers_);
  for (auto& [number, subscriber] : subscribers) subscriber.stream->close();
}

void EventHub::happened(const std::string& resource, const std::string& id) {
  pending_[{resource, id}] = true;
  schedule_flush();
}

void EventHub::schedule_flush() {
  if (std::exchange(flush_scheduled_, true)) return;
  executor_.post([this, alive = std::weak_ptr(alive_)] {
    if (alive.lock()) flush();
  });
}

void EventHub::flush() {
  flush_scheduled_ = false;
  auto pending = std::exchange(pending_, {});
  for (const auto& [key, marked] : pending) {
    auto rendered = render_(key.first, key.second);
    if (!rendered)
      rendered = Rendered{std::string(protocol::kEventRemoved),
                          protocol::encode(protocol::Removed{key.first, key.second}), "removed"};
    auto [entry, fresh] = paces_.try_emplace(key);
    Pace& pace = entry->second;
    if (!fresh && pace.stage == rendered->stage) {
      pace.dirty = true;
      continue;
    }
    emit(key, pace, std::move(*rendered));
  }
}

void EventHub::emit(const Key& key, Pace& pace, Rendered rendered) {
  if (pace.timer != 0) timers_.cancel(pace.timer);
  pace.stage = std::move(rendered.stage);
  pace.dirty = false;
  pace.timer = timers_.after(limits_.interval, [this, key, alive = std::weak_ptr(alive_)] {
    if (alive.lock()) interval_over(key);
  });
  publish(rendered.event, rendered.data);
}

void EventHub::interval_over(const Key& key) {
  auto found = paces_.find(key);
  if (found == paces_.end()) return;
  bool dirty = found->second.dirty;
  paces_.erase(found);
  if (dirty) happened(key.first, key.second);
}

void EventHub::publish(const std::string& event, const std::string& data) {
  Entry entry{++last_number_, {}};
  entry.wire = protocol::to_wire({id_of(entry.number), event, data});
  to_all(entry.wire);
  ring_bytes_ += entry.wire.size();
  ring_.push_back(std::move(entry));
  while (ring_.size() > limits_.ring_events || ring_bytes_ > limits_.ring_bytes) {
    ring_bytes_ -= ring_.front().wire.size();
    ring_.pop_front();
  }
}

void EventHub::to_all(const std::string& wire) {
  std::vector<std::shared_ptr<http::Stream>> streams;  // closing one removes it from the map
  for (const auto& [number, subscriber] : subscribers_) streams.push_back(subscriber.stream);
  for (const auto& stream : streams) stream->write(wire);
}

void EventHub::subscribe(const OpenStream& open, const std::string& last_event_id,
                         UserLimit::Slot slot) {
  std::uint64_t subscriber = next_subscriber_++;
  auto stream = open([this, subscriber, alive = std::weak_ptr(alive_)] {
    if (alive.lock()) subscribers_.erase(subscriber);
  });
  if (!stream || !stream->open()) return;
  subscribers_[subscriber] = {stream, std::move(slot)};
  arm_keep_alive();

  auto last = number_of(last_event_id);
  std::uint64_t first_in_ring = ring_.empty() ? last_number_ + 1 : ring_.front().number;
  if (!last || *last > last_number_ || *last + 1 < first_in_ring) {
    stream->write(
        protocol::to_wire({id_of(last_number_), std::string(protocol::kEventResync), "{}"}));
    return;
  }
  std::string missed = protocol::keep_alive_comment();
  for (const auto& entry : ring_)
    if (entry.number > *last) missed += entry.wire;
  stream->write(std::move(missed));
}

std::string EventHub::id_of(std::uint64_t number) const {
  return run_ + "-" + std::to_string(number);
}

std::optional<std::uint64_t> EventHub::number_of(const std::string& id) const {
  if (!id.starts_with(run_ + "-")) return std::nullopt;
  std::uint64_t number = 0;
  const char* begin = id.data() + run_.size() + 1;
  const char* end = id.data() + id.size();
  auto [rest, error] = std::from_chars(begin, end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

void EventHub::arm_keep_alive() {
  if (keep_alive_timer_ != 0) return;
  keep_alive_timer_ = timers_.after(limits_.keep_alive, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.lock()) return;
    keep_alive_timer_ = 0;
    if (subscribers_.empty()) return;
    to_all(protocol::keep_alive_comment());
    arm_keep_alive();
  });
}

}  // namespace shoal::api
