// The head of a mirror's answer, line by line as curl hands it over, and what is said of it.
#include <algorithm>

#include "edge/range_response.hpp"
#include "fuzzer.hpp"

SHOAL_FUZZER(response_head) {
  using namespace shoal;
  constexpr edge::ByteRange kWanted{100, 200};
  const edge::RangeRequest request{"http://mirror/bundle", kWanted, 1000};
  edge::ResponseHead head;
  for (std::string_view text = as_text(bytes); !text.empty();) {
    const auto line = text.substr(0, text.find('\n') + 1);  // all of it when there is none
    edge::read_header_line(head, line.empty() ? text : line);
    text.remove_prefix(line.empty() ? text.size() : line.size());
  }
  for (const auto* value : {&head.content_range, &head.content_encoding})
    fuzz::require(value->size() <= edge::kMaxHeaderBytes, "no header grows without end");
  for (const int status : {200, 206}) {
    head.status = status;
    const auto failure = edge::check_response(request, head);
    if (!failure) {
      const auto range = edge::parse_content_range(head.content_range);
      fuzz::require(status == 206 && range && range->range == kWanted,
                    "what passes is the range that was asked for");
      continue;
    }
    fuzz::require(
        std::ranges::all_of(failure->error.message, [](char c) { return c >= 0x20 && c < 0x7f; }),
        "what a server says is printable");
  }
}
