// Times as text: one form, written and read, and nothing that is only like it.
#include "base/clock.hpp"

#include <gtest/gtest.h>

namespace shoal {
namespace {

TEST(Utc, IsReadAsItIsWritten) {
  for (const char* text : {"2026-11-22T12:30:59Z", "2024-02-29T00:00:00Z", "1970-01-01T00:00:00Z",
                           "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    auto time = parse_utc(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(format_utc(*time), text);
  }
}

TEST(Utc, NothingElseIsATime) {
  for (const char* bad : {"", "2026-11-22T12:30:59", "2026-11-22T12:30:59+00:00",
                          "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-30T00:00:00Z",
                          "2026-01-00T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T12:60:00Z",
                          "2026-11-22T12:30:60Z", "2016-12-31T23:59:60Z", "2026-11-22 12:30:59Z",
                          "2026-11-22T12:30:59z", "20x6-11-22T12:30:59Z", "-026-11-22T12:30:59Z",
                          "2026-11-22T12:30:5 Z", "2026-11-22T12:30:59.0Z"})
    EXPECT_FALSE(parse_utc(bad)) << bad;
}

}  // namespace
}  // namespace shoal
