// What the command line reads from the socket: a program that took the daemon's place must not be
// able to crash it. In two parts whose border the first byte gives.
#include <algorithm>
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

Answer read(std::string_view text, std::size_t border) {
  client::ResponseReader reader(kMaxBody);
  for (auto part : {text.substr(0, border), text.substr(border)})
    if (!reader.feed(part)) return {};
  Answer answer;
  answer.end = reader.end() ? End::whole : End::before_the_whole;
  if (!reader.head_complete()) return answer;
  answer.status = reader.status();
  answer.body = reader.take_body();
  fuzz::require(answer.body.size() <= kMaxBody, "a body is bounded");
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
  if (bytes.empty()) return;
  const auto text = as_text(bytes.subspan(1));
  const Answer in_two = read(text, text.size() * bytes[0] / 256), at_once = read(text, text.size());
  if (in_two.end == End::whole || at_once.end == End::whole)
    fuzz::require(in_two == at_once, "a whole answer is the same wherever it is cut");
  else if (in_two.end != End::refused && at_once.end != End::refused)
    fuzz::require(are_alike(in_two, at_once), "so is the beginning of one, but for a few bytes");
}
