// The headers of a request for a file: a range, and the tags that the client has. The first byte is
// the file's size; a line for each header.
#include <algorithm>

#include "fuzzer.hpp"
#include "http/file_conditions.hpp"

SHOAL_FUZZER(file_conditions) {
  using namespace shoal;
  if (bytes.empty()) return;
  const std::uint64_t size = bytes[0];
  const auto text = as_text(bytes.subspan(1));
  const auto line = text.substr(0, text.find('\n'));
  const auto range = http::parse_range(line, size);
  using Kind = http::FileRange::Kind;
  if (range.kind == Kind::unsatisfiable)
    fuzz::require(range.offset == 0 && range.length == 0, "nothing is sent of no range");
  else
    fuzz::require(range.length <= size && range.offset <= size - range.length,
                  "a range lies within the file");
  if (range.kind == Kind::part) fuzz::require(range.length > 0, "a part is never empty");

  constexpr std::string_view kTag = "\"1-2-3\"";
  const auto rest = text.substr(std::min(line.size() + 1, text.size()));
  if (http::names_tag(rest, kTag))
    fuzz::require(
        rest.find(kTag) != std::string_view::npos || rest.find('*') != std::string_view::npos,
        "only a tag that is there is found");
}
