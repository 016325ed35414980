// Reads the daemon's events, and comes back by itself when the connection breaks: with
// Last-Event-ID, so that nothing is missed as long as the daemon remembers.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "client/connection.hpp"
#include "client/response_reader.hpp"
#include "protocol/events.hpp"

namespace shoal::client {

struct EventStreamOptions {
  std::filesystem::path socket{};
  int wake_fd = -1;                   // when readable, next() ends with `cancelled`
  std::uint32_t give_up_ms = 30'000;  // of the daemon being away (it may restart for an update)
  std::uint32_t silence_ms = 45'000;  // without a byte: the connection is dead (three keep-alives)
};

// The first event of a new stream is `resync` (protocol/events.hpp): read what you care about then,
// and follow the events from there.
class EventStream {
 public:
  explicit EventStream(EventStreamOptions options) : options_(std::move(options)) {}

  // The next event; empty when none came for wait_ms. Errors: cancelled; daemon_unreachable when
  // it stayed away for give_up_ms; what the daemon refuses with.
  Result<std::optional<protocol::Event>> next(std::uint32_t wait_ms);
  // Whether the connection is broken, and is being made again.
  bool away() const { return give_up_.has_value(); }

 private:
  Result<void> connect();
  Result<void> receive(const Deadline& deadline);
  // Reconnecting is up to the next call, after a pause; an error when it has been too long.
  Result<void> lost(Error error, const Deadline& deadline);

  EventStreamOptions options_;
  std::optional<Connection> connection_;
  std::optional<ResponseReader> response_;
  protocol::EventParser parser_;
  std::deque<protocol::Event> ready_;
  std::string last_id_;
  std::optional<Deadline> silence_;  // when the connection counts as dead
  std::optional<Deadline> give_up_;  // set while the daemon is away
};

}  // namespace shoal::client
