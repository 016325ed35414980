// What people read and type.
#include "cli/shoal/text.hpp"

#include <gtest/gtest.h>

#include "cli/usage/sanitised.hpp"

namespace shoal::cli {
namespace {

TEST(Text, SizesAreDecimalWithThreeFigures) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1000), "1.0 kB");
  EXPECT_EQ(human_bytes(64'000'000), "64.0 MB");
  EXPECT_EQ(human_bytes(99'960'000), "100 MB");
  EXPECT_EQ(human_bytes(999'600), "1.0 MB");
  EXPECT_EQ(human_bytes(120'400'000'000), "120 GB");
  EXPECT_EQ(human_bytes(~0ULL), "18.4 EB");
  EXPECT_EQ(human_rate(12'340'000), "12.3 MB/s");
}

TEST(Text, DurationsReadAsClocks) {
  EXPECT_EQ(human_duration(42), "0:42");
  EXPECT_EQ(human_duration(185), "3:05");
  EXPECT_EQ(human_duration(7810), "2:10:10");
}

TEST(Text, RatesAreNumberAndUnit) {
  EXPECT_EQ(parse_rate("5MB/s").value(), 5'000'000u);
  EXPECT_EQ(parse_rate("5 MB/s").value(), 5'000'000u);
  EXPECT_EQ(parse_rate("500kB").value(), 500'000u);
  EXPECT_EQ(parse_rate("1.5MiB/s").value(), 1'572'864u);
  EXPECT_EQ(parse_rate("40Mbit").value(), 5'000'000u);
  EXPECT_EQ(parse_rate("40Mbit/s").value(), 5'000'000u);
  EXPECT_EQ(parse_rate("0").value(), 0u);
  EXPECT_EQ(parse_rate("none").value(), 0u);
  EXPECT_EQ(parse_rate("0MB").value(), 0u);
}

TEST(Text, AmbiguousOrSenselessRatesAreRefused) {
  for (const char* bad : {"", "5", "MB", "-5MB", "5Mb", "5Mb/s", "5mb", "5MB/h", "5 MB x", "1e5MB",
                          "nan", "infMB", "99999999999GB", "0.1bit", "5MB/s/s", "\x1b[2J"}) {
    auto rate = parse_rate(bad);
    ASSERT_FALSE(rate) << bad;
    EXPECT_EQ(rate.error().kind, ErrorKind::invalid_request);
    EXPECT_EQ(rate.error().message.find('\x1b'), std::string::npos);
  }
}

TEST(Text, NamesCannotDriveTheTerminal) {
  EXPECT_EQ(sanitised("game"), "game");
  EXPECT_EQ(sanitised("Spiel \xC3\xA4\xE2\x82\xAC\xF0\x9F\x90\x9F"),
            "Spiel \xC3\xA4\xE2\x82\xAC\xF0\x9F\x90\x9F");
  EXPECT_EQ(sanitised("a\x1b[2Jb\r\n\t\x7f"), "a?[2Jb????");
  EXPECT_EQ(sanitised("\xC2\x9B"), "?") << "the C1 control CSI";
  EXPECT_EQ(sanitised("a\xE2\x80\xAEgpj.exe"), "a?gpj.exe") << "right-to-left override";
  EXPECT_EQ(sanitised("\xff\xC3"), "??") << "not UTF-8";
  EXPECT_EQ(sanitised(std::string_view("a\0b", 3)), "a?b");
}

TEST(Text, TableColumnsLineUp) {
  EXPECT_EQ(table({{"A", "B"}, {"long", "x"}, {"\xC3\xA4\xC3\xA4", ""}}),
            "A     B\nlong  x\n\xC3\xA4\xC3\xA4\n");
}

}  // namespace
}  // namespace shoal::cli
