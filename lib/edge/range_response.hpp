// Whether a server's answer is what was asked for: pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace shoal::edge {

struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  // one past the last
  std::uint64_t size() const { return end - begin; }
  bool operator==(const ByteRange&) const = default;
};

// One GET of part of an object whose size is known beforehand (it is signed).
struct RangeRequest {
  std::string url;
  ByteRange range;
  std::uint64_t object_size = 0;
  bool whole() const { return range.begin == 0 && range.end == object_size; }
};

// What of the answer's head matters.
struct ResponseHead {
  int status = 0;
  std::string content_range;     // empty: no such header
  std::string content_encoding;  // likewise
  std::int64_t content_length = -1;
};

// Takes over what matters of a line of the head. A status line begins anew: the answer before it
// was a redirect.
void read_header_line(ResponseHead& head, std::string_view line);
inline constexpr std::size_t kMaxHeaderBytes = 1024;  // of each header that is kept

// Retry-After as curl gives it, which is what the server says: any number. At most an hour.
std::uint32_t retry_after_ms(std::int64_t seconds);

struct ContentRange {
  ByteRange range;
  std::optional<std::uint64_t> object_size;  // empty for "*"
};
// RFC 9110, 14.4: "bytes <first>-<last>/<size or *>". Empty when malformed.
std::optional<ContentRange> parse_content_range(std::string_view text);

// Why a request failed, and who answers for it.
struct RequestFailure {
  enum class Fault {
    mirror,  // it is down, slow, or does not do what HTTP says
    object,  // it works, but does not have this object (or not these bytes)
  };
  Fault fault = Fault::mirror;
  Error error;
  std::uint32_t retry_after_ms = 0;  // asked for by the server; 0: it did not say
};

// Empty when the body that follows is the range that was asked for: 206 with exactly that
// Content-Range, or 200 when the whole object was wanted.
std::optional<RequestFailure> check_response(const RangeRequest& request, const ResponseHead& head);

}  // namespace shoal::edge
