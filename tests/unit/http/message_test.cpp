// Targets, queries and heads as text.
#include "http/message.hpp"

#include <gtest/gtest.h>

namespace shoal::http {
namespace {

TEST(HttpMessage, QueryGivesTheFirstValueDecoded) {
  Request request;
  request.raw_query = "a=1&b=x%26y&b=2&flag&empty=&v=1.0+b";
  EXPECT_EQ(request.query("a"), "1");
  EXPECT_EQ(request.query("b"), "x&y");
  EXPECT_EQ(request.query("flag"), "");
  EXPECT_EQ(request.query("empty"), "");
  EXPECT_EQ(request.query("v"), "1.0+b");
  EXPECT_EQ(request.query("c"), std::nullopt);
}

TEST(HttpMessage, PercentDecodeKeepsMalformedEscapes) {
  EXPECT_EQ(percent_decode("%41%2f%e4"), "A/\xe4");
  EXPECT_EQ(percent_decode("%"), "%");
  EXPECT_EQ(percent_decode("%4"), "%4");
  EXPECT_EQ(percent_decode("%g1%1"), "%g1%1");
}

TEST(HttpMessage, DatesAreInTheInternetFormat) {
  EXPECT_EQ(format_http_date(UtcSeconds(std::chrono::seconds(784111777))),
            "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(HttpMessage, NoLengthWhereThereIsNoBody) {
  Response response;
  response.status = 304;
  EXPECT_EQ(format_head(response, 0, true, {}).find("Content-Length"), std::string::npos);
}

}  // namespace
}  // namespace shoal::http
