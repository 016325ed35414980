// Small files over HTTP: what the fetcher takes and what it refuses.
#include "edge/http_fetcher.hpp"

#include <gtest/gtest.h>

#include "test_server.hpp"

namespace shoal::edge {
namespace {

using test::Fault;
using test::TestServer;

struct HttpFetcherTest : testing::Test {
  TestServer server;
  std::unique_ptr<trust::Fetcher> fetcher;

  HttpFetcherTest() {
    server.put("metadata/1.root.json", to_bytes("the root"));
    fetcher = make({server.url() + "/"});
  }
  static std::unique_ptr<trust::Fetcher> make(std::vector<std::string> urls, StopToken stop = {}) {
    HttpFetcherOptions options;
    options.base_urls = std::move(urls);
    options.low_speed_bytes_per_s = 100'000'000;
    options.low_speed_seconds = 1;
    return make_http_fetcher(options, stop).value();
  }
  ErrorKind failure(std::uint64_t max_bytes = 1000) {
    auto result = fetcher->fetch(0, "metadata/1.root.json", max_bytes);
    return result ? ErrorKind::internal : result.error().kind;
  }
};

TEST_F(HttpFetcherTest, fetches_a_file_without_compression_and_says_who_we_are) {
  EXPECT_EQ(fetcher->fetch(0, "metadata/1.root.json", 1000).value(), to_bytes("the root"));
  auto headers = server.requests().at(0).headers;
  EXPECT_NE(headers.find("User-Agent: shoal/"), std::string::npos);
  EXPECT_NE(headers.find("Accept-Encoding: identity"), std::string::npos);
}

TEST_F(HttpFetcherTest, keeps_the_connection) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(fetcher->fetch(0, "metadata/1.root.json", 1000));
  EXPECT_EQ(server.connections(), 1U);
}

TEST_F(HttpFetcherTest, a_missing_file_is_not_found) {
  EXPECT_EQ(fetcher->fetch(0, "metadata/2.root.json", 1000).error().kind, ErrorKind::not_found);
}

TEST_F(HttpFetcherTest, one_byte_too_many_is_too_large) {
  EXPECT_TRUE(fetcher->fetch(0, "metadata/1.root.json", 8));
  EXPECT_EQ(failure(7), ErrorKind::too_large);
}

TEST_F(HttpFetcherTest, endless_data_ends_at_the_limit) {
  server.set_fault(Fault::endless);
  EXPECT_EQ(failure(100'000), ErrorKind::too_large);
}

TEST_F(HttpFetcherTest, a_truncated_body_is_a_network_error) {
  server.set_fault(Fault::truncated);
  EXPECT_EQ(failure(), ErrorKind::network);
}

// Each by one of the two limits alone: without it, the test would not end.
TEST_F(HttpFetcherTest, a_stalled_server_times_out) {
  server.set_fault(Fault::silent);
  HttpFetcherOptions options;
  options.base_urls = {server.url()};
  options.low_speed_seconds = 1;
  options.total_timeout_ms = options.all_files_ms = 24 * 3600 * 1000;
  fetcher = make_http_fetcher(options).value();
  EXPECT_EQ(failure(), ErrorKind::network_timeout);
}

TEST_F(HttpFetcherTest, a_server_that_sends_byte_after_byte_times_out) {
  server.set_fault(Fault::trickle);
  HttpFetcherOptions options;
  options.base_urls = {server.url()};
  options.low_speed_bytes_per_s = 1;
  options.low_speed_seconds = 24 * 3600;
  options.total_timeout_ms = 500;
  fetcher = make_http_fetcher(options).value();
  EXPECT_EQ(failure(100 << 20), ErrorKind::network_timeout);
}

TEST_F(HttpFetcherTest, redirects_in_a_circle_end) {
  server.set_fault(Fault::redirect_loop);
  EXPECT_EQ(failure(), ErrorKind::network);
  EXPECT_LE(server.requests().size(), 4U);
}

TEST_F(HttpFetcherTest, a_server_in_trouble_is_an_unavailable_source) {
  server.set_fault(Fault::server_error);
  EXPECT_EQ(failure(), ErrorKind::source_unavailable);
}

TEST_F(HttpFetcherTest, nobody_there_is_a_network_error) {
  server.stop_listening();
  EXPECT_EQ(failure(), ErrorKind::network);
}

TEST_F(HttpFetcherTest, asks_the_mirror_that_it_is_told_to) {
  TestServer other;
  other.put("metadata/1.root.json", to_bytes("the other root"));
  fetcher = make({server.url(), other.url()});
  EXPECT_EQ(fetcher->mirrors(), 2U);
  EXPECT_EQ(fetcher->fetch(1, "metadata/1.root.json", 1000).value(), to_bytes("the other root"));
  EXPECT_EQ(fetcher->fetch(0, "metadata/1.root.json", 1000).value(), to_bytes("the root"));
}

TEST_F(HttpFetcherTest, all_files_together_have_a_time_limit) {
  HttpFetcherOptions options;
  options.base_urls = {server.url()};
  options.all_files_ms = 50;
  fetcher = make_http_fetcher(options).value();
  // Each fetch counts a millisecond at least, so the limit comes after 50 at the latest.
  auto result = fetcher->fetch(0, "metadata/1.root.json", 1000);
  for (int i = 0; i < 60 && result; ++i) result = fetcher->fetch(0, "metadata/1.root.json", 1000);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, ErrorKind::network_timeout);
}

TEST_F(HttpFetcherTest, ends_when_asked_to_stop) {
  StopToken stop;
  fetcher = make({server.url()}, stop);
  stop.request_stop();
  EXPECT_EQ(failure(), ErrorKind::cancelled);
}

TEST(HttpFetcherUrls, only_http_and_https_are_allowed) {
  for (const char* url : {"file:///etc/passwd", "ftp://a/", "http://", "/tmp", ""}) {
    HttpFetcherOptions options;
    options.base_urls = {url};
    EXPECT_EQ(make_http_fetcher(options).error().kind, ErrorKind::invalid_request) << url;
  }
  EXPECT_FALSE(make_http_fetcher({}));
}

}  // namespace
}  // namespace shoal::edge
