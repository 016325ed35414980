// Server-Sent Events (WHATWG HTML, section 9.2): writing one, and reading a stream of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace shoal::protocol {

// The names of the local API's events. The first four carry the resource as it is now.
inline constexpr std::string_view kEventChange = "change";
inline constexpr std::string_view kEventInstall = "install";
inline constexpr std::string_view kEventRepository = "repository";
inline constexpr std::string_view kEventConfig = "config";
inline constexpr std::string_view kEventRemoved = "removed";  // data: Removed
inline constexpr std::string_view kEventResync = "resync";    // events were lost: read all again

struct Event {
  std::string id;  // for Last-Event-ID
  std::string name;
  std::string data;  // one line of JSON
};

// The event as it goes over the wire. `data` must have no line breaks (JSON of encode() has none).
std::string to_wire(const Event& event);
// A comment line, which readers skip: keeps the connection alive.
std::string keep_alive_comment();

// Puts events together from the bytes as they come.
class EventParser {
 public:
  static constexpr std::size_t kMaxEventBytes = 8 << 20;  // an endless line must not eat memory

  // Appends the events that are complete now. Errors: too_large.
  Result<void> feed(std::string_view bytes, std::vector<Event>& events);

 private:
  void line(std::string_view text, std::vector<Event>& events);

  std::string buffer_;  // of an unfinished line
  Event current_;
  std::string last_id_;
  bool has_data_ = false;
};

}  // namespace shoal::protocol
