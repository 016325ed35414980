// One connection to the daemon's socket, with deadlines. Private to this module.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/file.hpp"

namespace shoal::client {

class Deadline {
 public:
  explicit Deadline(std::uint32_t from_now_ms)
      : end_(SystemClock().steady() + SteadyMs(from_now_ms)) {}
  int left_ms() const;  // 0 when it is over

 private:
  SteadyMs end_;
};

class Connection {
 public:
  // Errors: daemon_unreachable, not_allowed.
  static Result<Connection> open(const std::filesystem::path& socket, int wake_fd);

  // Errors: daemon_unreachable (gone, or the deadline is over), cancelled (by the wake descriptor).
  Result<void> send(std::string_view bytes, const Deadline& deadline);
  // At least one byte; empty when the daemon closed the connection.
  Result<std::string> receive(const Deadline& deadline);
  // Whether something can be received before the deadline. Errors: cancelled.
  Result<bool> wait_readable(const Deadline& deadline);

 private:
  Connection(UniqueFd fd, std::string name, int wake_fd)
      : fd_(std::move(fd)), name_(std::move(name)), wake_fd_(wake_fd) {}
  Result<bool> wait(short events, const Deadline& deadline);
  Error gone(std::string_view why) const;

  UniqueFd fd_;
  std::string name_;  // the socket's path, for messages
  int wake_fd_;
};

// Waits out the deadline; errors: cancelled when the wake descriptor becomes readable before.
Result<void> pause_until(const Deadline& deadline, int wake_fd);

// An HTTP/1.1 request without keep-alive. last_event_id: "" for none.
std::string request_text(std::string_view method, std::string_view path, std::string_view body,
                         std::string_view last_event_id = {});

}  // namespace shoal::client
