// The event stream's text form, whole and in pieces.
#include "protocol/events.hpp"

#include <gtest/gtest.h>

namespace shoal::protocol {
namespace {

std::vector<Event> parse(std::string_view text, std::size_t step) {
  EventParser parser;
  std::vector<Event> events;
  for (std::size_t i = 0; i < text.size(); i += step)
    EXPECT_TRUE(parser.feed(text.substr(i, step), events));
  return events;
}

TEST(Events, SurviveTheWireInPiecesOfAnySize) {
  std::string wire = to_wire({"r-1", "change", R"({"id":"c1"})"}) + keep_alive_comment() +
                     to_wire({"r-2", "resync", "{}"});
  for (std::size_t step : {1u, 2u, 7u, 1000u}) {
    auto events = parse(wire, step);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].id, "r-1");
    EXPECT_EQ(events[0].name, "change");
    EXPECT_EQ(events[0].data, R"({"id":"c1"})");
    EXPECT_EQ(events[1].name, "resync");
  }
}

TEST(Events, UnfinishedEventIsNotDelivered) {
  EXPECT_TRUE(parse("id: 1\nevent: change\ndata: {}\n", 100).empty());
}

TEST(Events, CommentsAndUnknownFieldsAreSkipped) {
  auto events = parse(": hello\r\nretry: 5\r\ndata: a\r\ndata: b\r\n\r\n", 100);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].data, "a\nb");
}

TEST(Events, EndlessLineIsRefused) {
  EventParser parser;
  std::vector<Event> events;
  std::string chunk(1 << 20, 'x');
  Result<void> result;
  for (int i = 0; i < 20 && result; ++i) result = parser.feed(chunk, events);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::too_large);
}

TEST(Events, EndlessDataLinesAreRefused) {
  EventParser parser;
  std::vector<Event> events;
  std::string chunk = "data: " + std::string(1 << 20, 'x') + "\n";
  Result<void> result;
  for (int i = 0; i < 20 && result; ++i) result = parser.feed(chunk, events);
  ASSERT_FALSE(result);
}

}  // namespace
}  // namespace shoal::protocol
