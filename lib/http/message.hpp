// The text of HTTP messages: request targets in, response heads out. Pure. Private to the module.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "http/server.hpp"

namespace shoal::http {

struct Target {
  std::string path;  // percent-decoded, begins with '/', no NUL
  std::string raw_query;
};

// Origin form ("/a?b") or absolute form ("http://host/a?b"), RFC 9112 3.2. Empty when it is neither
// or has a malformed percent-encoding in its path.
std::optional<Target> parse_target(std::string_view target);

// Status line and headers with the empty line. Without a length none is announced (the body ends
// with the connection). Control characters in header values become spaces.
std::string format_head(const Response& response, std::optional<std::uint64_t> content_length,
                        bool keep_alive, UtcSeconds now);

// Whether responses of that status carry a body at all (RFC 9110 6.4.1).
bool status_has_body(int status);

// A response of the server itself, in the shape of the local API's errors.
Response error_response(int status, ErrorKind kind, std::string_view message);

// "Sun, 22 Nov 2026 12:30:00 GMT" (RFC 9110 5.6.7).
std::string format_http_date(UtcSeconds time);

}  // namespace shoal::http
