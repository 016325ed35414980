// curl's handles, owned; and the options that every request of ours shares.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "base/error.hpp"

namespace shoal::edge {

struct EasyCleanup {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct MultiCleanup {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
using EasyHandle = std::unique_ptr<CURL, EasyCleanup>;
using MultiHandle = std::unique_ptr<CURLM, MultiCleanup>;

// What a request may cost in time, and what it trusts.
struct RequestLimits {
  std::uint32_t connect_timeout_ms = 0;
  std::uint32_t total_timeout_ms = 0;
  std::uint32_t low_speed_bytes_per_s = 0;  // slower than this …
  std::uint32_t low_speed_seconds = 0;      // … for this long: broken off
  std::uint32_t max_redirects = 0;
  std::string ca_file;  // PEM; empty: the system's certificate authorities
};

// Initialises libcurl once for the process (thread-safe).
void initialise_curl();
// Options that do not depend on the request: HTTP and HTTPS only, also after redirects, no
// content encodings, no signals, time limits, our user agent. `buffer_bytes`: curl's read size.
void set_common_options(CURL* handle, const RequestLimits& limits, long buffer_bytes);
// Sets the URL; a redirect from https never leads to http.
void set_url(CURL* handle, const std::string& url);
// "GET <url>: <why>" with kind network or network_timeout.
Error curl_error(CURLcode code, const std::string& url);

// A mirror's URL without its trailing slashes. Errors: invalid_request unless http:// or https://.
Result<std::string> checked_base_url(const std::string& url);

}  // namespace shoal::edge
