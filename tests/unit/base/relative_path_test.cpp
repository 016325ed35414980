// What may be a path or a name, as tables of good and bad ones.
#include "base/relative_path.hpp"

#include <gtest/gtest.h>

#include <string>

namespace shoal {
namespace {

using namespace std::string_literals;

TEST(RelativePath, AcceptsOrdinaryAndOddButHarmlessPaths) {
  for (const std::string& good :
       {"a"s, "a/b/c"s, "with space"s, "dots..in..names"s, "..."s, ".hidden"s, "a/.hidden/b"s,
        "-dash"s, "trailing."s, "back\\slash"s, "C:"s, "caf\u00e9"s, "\u65e5\u672c"s,
        "\U0001f41f/fish"s, std::string(255, 'n')}) {
    auto path = RelativePath::parse(good);
    ASSERT_TRUE(path) << good;
    EXPECT_EQ(path->text(), good);
  }
}

TEST(RelativePath, RefusesWhateverCouldLeaveTheTreeOrConfuseAReader) {
  for (const std::string& bad : {""s,
                                 "/"s,
                                 "/etc/passwd"s,
                                 "."s,
                                 ".."s,
                                 "../x"s,
                                 "a/.."s,
                                 "a/../b"s,
                                 "a/./b"s,
                                 "./a"s,
                                 "a//b"s,
                                 "a/"s,
                                 "a/b/"s,
                                 "//"s,
                                 "nul\0byte"s,
                                 "line\nbreak"s,
                                 "tab\tx"s,
                                 "esc\x1b[31m"s,
                                 "del\x7f"s,
                                 "c1\xc2\x9b"
                                 "31m"s,
                                 "\xff"s,
                                 "\xc3"s,
                                 "overlong\xc0\xaf"s,
                                 "overlong\xe0\x80\xaf"s,
                                 "surrogate\xed\xa0\x80"s,
                                 "beyond\xf4\x90\x80\x80"s,
                                 std::string(256, 'n')}) {
    auto path = RelativePath::parse(bad);
    ASSERT_FALSE(path) << bad;
    EXPECT_EQ(path.error().kind, ErrorKind::path_invalid);
  }
}

TEST(RelativePath, ErrorsShowNoControlCharacters) {
  auto path = RelativePath::parse("evil\x1b[2J\n"s);
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().message.find_first_of("\x1b\n"), std::string::npos);
}

// A message travels as JSON, which must be UTF-8, whatever the bytes of the path were.
TEST(RelativePath, ErrorsAreValidUtf8EvenWhenThePathIsNot) {
  for (const std::string& bad : {"\xff\xfe"s, std::string(199, 'a') + "\u00e9/../b"}) {
    auto path = RelativePath::parse(bad);
    ASSERT_FALSE(path);
    EXPECT_TRUE(is_valid_utf8(path.error().message)) << path.error().message;
  }
}

TEST(RelativePath, LengthIsBoundedExactly) {
  std::string longest;
  while (longest.size() + 100 <= RelativePath::kMaxBytes) longest += std::string(99, 'd') + '/';
  longest += std::string(RelativePath::kMaxBytes - longest.size(), 'e');
  EXPECT_TRUE(RelativePath::parse(longest));
  EXPECT_FALSE(RelativePath::parse(longest + "e"));
}

TEST(RelativePath, KnowsItsParts) {
  auto path = *RelativePath::parse("a/b/c");
  EXPECT_EQ(path.parent(), "a/b");
  EXPECT_EQ(path.name(), "c");
  auto single = *RelativePath::parse("a");
  EXPECT_EQ(single.parent(), "");
  EXPECT_EQ(single.name(), "a");
  EXPECT_EQ(path.beneath(single).text(), "a/a/b/c");
}

TEST(Utf8, AcceptsTheEdgesOfEachLength) {
  for (std::string_view good : {"", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                                "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_valid_utf8(good)) << good;
}

TEST(Utf8, RefusesTruncatedAndMisplacedBytes) {
  for (std::string_view bad :
       {"\x80", "\xbf", "\xc2", "\xc2x", "\xe2\x82", "\xe2\x82x", "\xf0\x9f\x90",
        "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xc1\xbf"})
    EXPECT_FALSE(is_valid_utf8(bad)) << bad;
}

TEST(Names, AreWhatUrlsAndFileNamesCanCarry) {
  for (const std::string& good : {"demo"s, "1.2.3"s, "1.0~rc1+b2"s, "A_b-c"s, std::string(64, 'x')})
    EXPECT_TRUE(check_name("product", good)) << good;
  for (const std::string& bad : {""s, ".hidden"s, "-flag"s, "a/b"s, "a b"s, "a%2fb"s, "caf\u00e9"s,
                                 "a:b"s, "a=b"s, "a@b"s, "new\nline"s, std::string(65, 'x')}) {
    auto checked = check_name("product", bad);
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().kind, ErrorKind::invalid_request);
    EXPECT_TRUE(checked.error().message.starts_with("product '")) << checked.error().message;
    EXPECT_EQ(checked.error().message.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace shoal
