// A mirror's Content-Range header, and whether such an answer passes for what was asked.
#include "edge/range_response.hpp"
#include "fuzzer.hpp"

SHOAL_FUZZER(content_range) {
  using namespace shoal;
  std::string text(as_text(bytes));
  auto range = edge::parse_content_range(text);
  if (range) fuzz::require(range->range.begin < range->range.end, "a range is never empty");
  // A part of an object, and the whole of one.
  for (const edge::ByteRange wanted : {edge::ByteRange{100, 200}, edge::ByteRange{0, 1000}}) {
    edge::RangeRequest request{"http://mirror/bundle", wanted, 1000};
    edge::ResponseHead head{206, text, "", -1};
    if (!edge::check_response(request, head))
      fuzz::require(range && range->range == wanted, "what passes is the range asked for");
  }
}
