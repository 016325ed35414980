// The options shared by bundle requests and metadata fetches, in one place, so that what is refused
// (other protocols, endless redirects, encodings, silence) is refused everywhere.
#include "edge/curl_handle.hpp"

#include <fmt/core.h>

#include <mutex>

namespace shoal::edge {

void initialise_curl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

void set_common_options(CURL* handle, const RequestLimits& limits, long buffer_bytes) {
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, limits.max_redirects > 0 ? 1L : 0L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, static_cast<long>(limits.max_redirects));
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  // Sends "Accept-Encoding: identity": sizes are signed, so the bytes must come as they are.
  curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "identity");
  curl_easy_setopt(handle, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "shoal/" SHOAL_VERSION);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect_timeout_ms));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(limits.total_timeout_ms));
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT,
                   static_cast<long>(limits.low_speed_bytes_per_s));
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.low_speed_seconds));
  curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, buffer_bytes);
  if (!limits.ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, limits.ca_file.c_str());
}

void set_url(CURL* handle, const std::string& url) {
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  bool secure = url.starts_with("https://");
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
}

Error curl_error(CURLcode code, const std::string& url) {
  ErrorKind kind =
      code == CURLE_OPERATION_TIMEDOUT ? ErrorKind::network_timeout : ErrorKind::network;
  return {kind, fmt::format("GET {}: {}", url, curl_easy_strerror(code)), {}};
}

Result<std::string> checked_base_url(const std::string& url) {
  std::string base = url;
  while (base.ends_with('/')) base.pop_back();
  bool http = base.starts_with("http://") && base.size() > 7;
  bool https = base.starts_with("https://") && base.size() > 8;
  if (http || https) return base;
  return fail(ErrorKind::invalid_request, fmt::format("mirror '{}' is not a web address", url),
              "Give a URL that begins with http:// or https://.");
}

}  // namespace shoal::edge
