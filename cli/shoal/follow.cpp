// Events carry whole changes, so following is keeping the last of each. After `resync` (the start,
// or a gap) each change is asked for once.
#include "cli/shoal/follow.hpp"

#include <map>
#include <utility>

#include "client/connection.hpp"
#include "client/event_stream.hpp"
#include "protocol/codec.hpp"

namespace shoal::cli {
namespace {

using protocol::Change;

constexpr std::uint32_t kTickMs = 1000;
constexpr std::uint32_t kPollMs = 500;  // between questions, without an event stream

class Follower {
 public:
  Follower(const client::ClientOptions& options, const std::vector<Change>& started,
           Display& display)
      : options_(options), client_(options), display_(display) {
    for (const auto& change : started) take(change);
  }

  Result<void> run() {
    client::EventStream stream({.socket = options_.socket, .wake_fd = options_.wake_fd});
    while (running_ > 0) {
      auto event = stream.next(kTickMs);
      if (!event && event.error().kind == ErrorKind::busy) return poll();
      if (!event) return fail(event.error());
      tell_whether_away(stream.away());
      if (!away_) display_.tick();
      if (*event && (*event)->name == protocol::kEventResync) stale_ = true;
      if (stale_ && !away_) SHOAL_TRY(refresh());
      if (!*event || (*event)->name != protocol::kEventChange) continue;
      auto change = protocol::decode<Change>((*event)->data, protocol::UnknownFields::ignore);
      if (change && changes_.contains(change->id)) take(*change);
    }
    return {};
  }

  // The change as it ended; asked for once more when the event had only some of its notes.
  Result<Change> ended(const std::string& id) const {
    const Change& change = changes_.at(id);
    if (change.notes.size() == change.notes_total) return change;
    return client_.change(id);
  }

 private:
  // It may have been restarted for an update of its own: the changes then go on by themselves.
  void tell_whether_away(bool away) {
    if (std::exchange(away_, away) == away) return;
    display_.say(away ? "the daemon has gone away; waiting for it" : "the daemon is back");
  }

  void take(const Change& change) {
    auto [entry, fresh] = changes_.try_emplace(change.id);
    if (!fresh && has_ended(entry->second.state)) return;
    entry->second = change;
    if (fresh) ++running_;
    if (has_ended(change.state)) --running_;
    display_.update(change);
  }

  Result<void> ask_for_all() {
    std::vector<std::string> ids;
    for (const auto& [id, change] : changes_)
      if (!has_ended(change.state)) ids.push_back(id);
    for (const auto& id : ids) {
      SHOAL_ASSIGN(auto change, client_.change(id));
      take(change);
    }
    return {};
  }

  // A daemon that goes away between two questions is the stream's to wait for, or to give up.
  Result<void> refresh() {
    auto asked = ask_for_all();
    stale_ = !asked;
    if (!asked && asked.error().kind != ErrorKind::daemon_unreachable) return asked;
    return {};
  }

  Result<void> poll() {
    while (running_ > 0) {
      SHOAL_TRY(ask_for_all());
      display_.tick();
      if (running_ > 0) SHOAL_TRY(client::pause_until(client::Deadline(kPollMs), options_.wake_fd));
    }
    return {};
  }

  client::ClientOptions options_;
  client::Client client_;
  Display& display_;
  std::map<std::string, Change> changes_;
  std::size_t running_ = 0;
  bool away_ = false;
  bool stale_ = false;  // the changes are to be asked for, since events were missed
};

}  // namespace

Result<std::vector<Change>> follow(const client::ClientOptions& options,
                                   const std::vector<Change>& started, Display& display) {
  Follower follower(options, started, display);
  SHOAL_TRY(follower.run());
  std::vector<Change> ended;
  for (const auto& change : started) {
    SHOAL_ASSIGN(auto last, follower.ended(change.id));
    ended.push_back(std::move(last));
  }
  return ended;
}

Error watch(const client::ClientOptions& options, Display& display,
            const std::function<void(const protocol::Event&)>& on_event) {
  client::Client client(options);
  client::EventStream stream({.socket = options.socket, .wake_fd = options.wake_fd});
  bool stale = false;  // as the follower's
  while (true) {
    auto event = stream.next(kTickMs);
    if (!event) return event.error();
    display.tick();
    if (*event && (*event)->name == protocol::kEventResync) stale = true;
    if (*event) on_event(**event);
    if (stale && !stream.away()) {
      auto changes = client.changes();
      if (!changes && changes.error().kind != ErrorKind::daemon_unreachable) return changes.error();
      stale = !changes;
      if (!changes) continue;
      for (const auto& change : changes->changes)
        if (!has_ended(change.state)) display.update(change);
    }
    if (!*event) continue;
    if ((*event)->name == protocol::kEventChange) {
      auto change = protocol::decode<Change>((*event)->data, protocol::UnknownFields::ignore);
      if (change) display.update(*change);
    }
  }
}

}  // namespace shoal::cli
