// What the command line reads from the socket: a program that took the daemon's place must not be
// able to crash it.
#include "client/response_reader.hpp"
#include "fuzzer.hpp"

SHOAL_FUZZER(http_response) {
  using namespace shoal;
  constexpr std::uint64_t kMaxBody = 4096;
  client::ResponseReader reader(kMaxBody);
  if (!reader.feed(as_text(bytes)) || !reader.head_complete()) return;
  static_cast<void>(reader.status());
  fuzz::require(reader.take_body().size() <= kMaxBody, "a body is bounded");
  static_cast<void>(reader.end());
}
