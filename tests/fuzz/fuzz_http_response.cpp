// What the command line reads from the socket: a program that took the daemon's place must not be
// able to crash it. Cut up as the second byte says; the first one's parity tells whether the reader
// is that of an answer or that of a stream, which has no end.
#include <algorithm>
#include <optional>
#include <string>

#include "client/response_reader.hpp"
#include "fuzzer.hpp"

namespace {

using namespace shoal;

constexpr std::uint64_t kMaxBody = 256;
constexpr std::size_t kMostUnread = 5;  // the shortest end of a chunked body

enum class End { refused, before_the_whole, whole };

struct Answer {
  int status = 0;
  std::string body;
  End end = End::refused;
  bool operator==(const Answer&) const = default;
};

Answer read(const std::vector<ByteView>& parts, std::optional<std::uint64_t> most) {
  client::ResponseReader reader(most);
  for (ByteView part : parts)
    if (!reader.feed(as_text(part))) return {};
  Answer answer;
  answer.end = reader.end() ? End::whole : End::before_the_whole;
  if (!reader.head_complete()) return answer;
  answer.status = reader.status();
  answer.body = reader.take_body();
  fuzz::require(!most || answer.body.size() <= *most, "a body is bounded");
  return answer;
}

// Of what ends too early the last few bytes may wait unread; with more of them it might be refused.
bool are_alike(const Answer& a, const Answer& b) {
  const auto& [shorter, longer] =
      std::minmax(a.body, b.body, [](const auto& x, const auto& y) { return x.size() < y.size(); });
  return a.status == b.status && longer.starts_with(shorter) &&
         longer.size() - shorter.size() < kMostUnread;
}

}  // namespace

SHOAL_FUZZER(http_response) {
  if (bytes.size() < 2) return;
  const ByteView text = bytes.subspan(2);
  const std::optional<std::uint64_t> most =
      bytes[0] % 2 == 0 ? std::optional(kMaxBody) : std::nullopt;
  const Answer in_parts = read(fuzz::cut_up(text, bytes[1]), most), at_once = read({text}, most);
  if (in_parts.end == End::whole || at_once.end == End::whole)
    fuzz::require(in_parts == at_once, "a whole answer is the same wherever it is cut");
  else if (in_parts.end != End::refused && at_once.end != End::refused)
    fuzz::require(are_alike(in_parts, at_once), "so is the beginning of one, but for a few bytes");
}
