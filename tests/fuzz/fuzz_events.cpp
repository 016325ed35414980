// The event stream as the command line and launchers' clients read it, in two parts whose border
// the first byte gives.
#include <algorithm>

#include "fuzzer.hpp"
#include "protocol/events.hpp"

namespace {

using namespace shoal;

std::vector<protocol::Event> events_of(std::string_view text, std::size_t border) {
  protocol::EventParser parser;
  std::vector<protocol::Event> events;
  for (auto part : {text.substr(0, border), text.substr(border)})
    fuzz::require(parser.feed(part, events).has_value(), "so little is never too much");
  return events;
}

bool same(const protocol::Event& a, const protocol::Event& b) {
  return a.id == b.id && a.name == b.name && a.data == b.data;
}

}  // namespace

SHOAL_FUZZER(events) {
  if (bytes.empty()) return;
  const auto text = as_text(bytes.subspan(1));
  const auto events = events_of(text, text.size());
  const auto in_parts = events_of(text, text.size() * bytes[0] / 256);
  fuzz::require(std::ranges::equal(events, in_parts, same),
                "the border between two reads makes no difference");
  for (const auto& event : events) {
    if (event.data.find_first_of("\r\n") != std::string::npos ||
        event.name.find('\r') != std::string::npos || event.id.find('\r') != std::string::npos)
      continue;  // not as ours are
    const auto wire = protocol::to_wire(event);
    const auto again = events_of(wire, wire.size());
    fuzz::require(again.size() == 1 && same(again[0], event), "what was written reads back");
  }
}
