// What the command line reads from the socket: a program that took the daemon's place must not be
// able to crash it. In two parts whose border the first byte gives.
#include <optional>

#include "client/response_reader.hpp"
#include "fuzzer.hpp"

namespace {

using namespace shoal;

constexpr std::uint64_t kMaxBody = 256;

struct Answer {
  int status = 0;
  std::string body;
  bool whole = false;
  bool operator==(const Answer&) const = default;
};

std::optional<Answer> read(std::string_view text, std::size_t border) {
  client::ResponseReader reader(kMaxBody);
  for (auto part : {text.substr(0, border), text.substr(border)})
    if (!reader.feed(part)) return std::nullopt;
  if (!reader.head_complete()) return std::nullopt;
  Answer answer{reader.status(), reader.take_body(), reader.end().has_value()};
  fuzz::require(answer.body.size() <= kMaxBody, "a body is bounded");
  return answer;
}

}  // namespace

SHOAL_FUZZER(http_response) {
  if (bytes.empty()) return;
  const auto text = as_text(bytes.subspan(1));
  fuzz::require(read(text, text.size() * bytes[0] / 256) == read(text, text.size()),
                "the border between two reads makes no difference");
}
