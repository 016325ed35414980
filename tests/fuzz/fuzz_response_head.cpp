// The head of a mirror's answer, line by line as curl hands it over, and what is said of it. The
// first byte is the length that curl found.
#include <algorithm>

#include "edge/range_response.hpp"
#include "fuzzer.hpp"

namespace {

using namespace shoal;

void try_status(edge::ResponseHead head, const edge::RangeRequest& request, int status) {
  head.status = status;
  const auto failure = edge::check_response(request, head);
  if (!failure) {
    const auto range = edge::parse_content_range(head.content_range);
    fuzz::require(status == 206 ? range && range->range == request.range : request.whole(),
                  "what passes is the range that was asked for");
    return;
  }
  fuzz::require(
      std::ranges::all_of(failure->error.message, [](char c) { return c >= 0x20 && c < 0x7f; }),
      "what a server says is printable");
}

}  // namespace

SHOAL_FUZZER(response_head) {
  if (bytes.empty()) return;
  edge::ResponseHead head;
  head.content_length = bytes[0] - 1;  // none, or the size of the objects below
  for (std::string_view text = as_text(bytes.subspan(1)); !text.empty();) {
    const auto line = text.substr(0, text.find('\n') + 1);  // all of it when there is none
    edge::read_header_line(head, line.empty() ? text : line);
    text.remove_prefix(line.empty() ? text.size() : line.size());
  }
  for (const auto* value : {&head.content_range, &head.content_encoding})
    fuzz::require(value->size() <= edge::kMaxHeaderBytes, "no header grows without end");
  constexpr std::uint64_t kObject = 200;
  for (const edge::ByteRange wanted : {edge::ByteRange{100, 200}, edge::ByteRange{0, kObject}})
    for (const int status : {200, 206})
      try_status(head, {"http://mirror/bundle", wanted, kObject}, status);
}
