// trust::Fetcher over HTTP: small signed files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/stop_token.hpp"
#include "trust/fetcher.hpp"
#include "trust/limits.hpp"

namespace shoal::edge {

struct HttpFetcherOptions {
  std::vector<std::string> base_urls;  // http or https, in order of preference; at least one
  std::uint32_t connect_timeout_ms = 10'000;
  std::uint32_t total_timeout_ms = trust::Limits{}.file_ms;                // one file
  std::uint32_t low_speed_bytes_per_s = trust::Limits{}.slow_bytes_per_s;  // slower than this …
  std::uint32_t low_speed_seconds = trust::Limits{}.slow_seconds;  // … for this long: stalled
  std::uint32_t all_files_ms = trust::Limits{}.cycle_ms;           // everything this fetcher does
  std::uint32_t max_redirects = trust::Limits{}.redirects;
  std::string ca_file;  // PEM; empty: the system's certificate authorities
};

// One thread at a time. cancelled once `stop` asks for it; source_unavailable when the server
// answers, but with an error. Errors of make_http_fetcher: invalid_request (no URL, or not
// http/https: file:// is refused).
Result<std::unique_ptr<trust::Fetcher>> make_http_fetcher(const HttpFetcherOptions& options,
                                                          StopToken stop = {});

}  // namespace shoal::edge
