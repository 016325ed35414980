// One encoding for each value; everything else is refused within limits.
#include "content/bencode.hpp"

#include <gtest/gtest.h>

#include "samples.hpp"

namespace shoal::content {
namespace {

using Type = BencodeValue::Type;

bool accepts(std::string_view text) { return parse_bencode(as_bytes(text)).has_value(); }

TEST(Bencode, ReadsWhatItWrites) {
  BencodeWriter writer;
  writer.begin_dictionary().string("a").integer(-7).string("b").begin_list().string("x").end();
  Bytes bytes = writer.end().take();
  EXPECT_EQ(as_text(bytes), "d1:ai-7e1:bl1:xee");
  auto value = parse_bencode(bytes);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->find("a", Type::integer)->integer, -7);
  const auto* list = value->find("b", Type::list);
  ASSERT_EQ(list->list.size(), 1U);
  EXPECT_EQ(as_text(list->list[0].string), "x");
  EXPECT_EQ(as_text(list->raw), "l1:xe");
  EXPECT_EQ(value->find("a", Type::string), nullptr);
  EXPECT_EQ(value->find("c", Type::integer), nullptr);
}

TEST(Bencode, TakesNumbersUpTo63Bits) {
  EXPECT_TRUE(accepts("i9223372036854775807e"));
  EXPECT_TRUE(accepts("i-9223372036854775808e"));
  EXPECT_FALSE(accepts("i9223372036854775808e"));
  EXPECT_TRUE(accepts("i0e"));
}

TEST(Bencode, RefusesEverySecondWayToWriteAValue) {
  for (auto text : {"i-0e",
                    "i00e",
                    "i01e",
                    "i-01e",
                    "ie",
                    "i-e",
                    "i+1e",
                    "i 1e",
                    "i1",
                    "01:a",
                    "-1:a",
                    "d1:bi1e1:ai1ee",
                    "d1:ai1e1:ai1ee",
                    "di1ei1ee",
                    "i1ei2e",
                    "",
                    "x",
                    "e",
                    "1:",
                    "99999999999999999999:a",
                    "d1:ae",
                    "l",
                    "d"})
    EXPECT_FALSE(accepts(text)) << text;
}

TEST(Bencode, NestingAndNumberOfValuesAreBounded) {
  EXPECT_FALSE(accepts(std::string(1'000'000, 'l')));
  std::string many = "l";
  for (int i = 0; i < 20'000; ++i) many += "le";
  EXPECT_FALSE(accepts(many + "e"));
}

TEST(Bencode, EveryTruncationAndFlippedByteIsSurvived) {
  Bytes good = to_bytes("d1:ad1:bli1e2:xye1:c0:e1:di-12ee");
  ASSERT_TRUE(parse_bencode(good));
  test::for_every_damage(
      good, [](ByteView bytes) { return parse_bencode(bytes).has_value(); },
      [](std::size_t length) { ADD_FAILURE() << "accepted a prefix of " << length; });
}

}  // namespace
}  // namespace shoal::content
