// One easy handle, kept for its open connection. The limit is enforced at the byte that exceeds it,
// whatever length the server announced.
#include "edge/http_fetcher.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "edge/curl_handle.hpp"

namespace shoal::edge {
namespace {

constexpr long kReadBufferBytes = 16 * 1024;

// One GET in progress.
struct Receiving {
  CURL* handle = nullptr;
  std::uint64_t max_bytes = 0;
  const StopToken* stop = nullptr;
  Bytes body;
  bool too_large = false;
  bool refused = false;
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* context) {
  auto& receiving = *static_cast<Receiving*>(context);
  auto bytes = as_bytes({data, size * count});
  long status = 0;
  curl_easy_getinfo(receiving.handle, CURLINFO_RESPONSE_CODE, &status);
  receiving.refused = status != 200;  // an error page: not read
  receiving.too_large =
      !receiving.refused && receiving.body.size() + bytes.size() > receiving.max_bytes;
  if (receiving.refused || receiving.too_large) return CURL_WRITEFUNC_ERROR;
  receiving.body.insert(receiving.body.end(), bytes.begin(), bytes.end());
  return bytes.size();
}

int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Receiving*>(context)->stop->stop_requested() ? 1 : 0;
}

class HttpFetcher final : public trust::Fetcher {
 public:
  HttpFetcher(std::vector<std::string> bases, const HttpFetcherOptions& options, StopToken stop)
      : bases_(std::move(bases)),
        stop_(std::move(stop)),
        file_ms_(options.total_timeout_ms),
        all_files_ms_(options.all_files_ms) {
    initialise_curl();
    handle_.reset(curl_easy_init());
    set_common_options(
        handle_.get(),
        {options.connect_timeout_ms, options.total_timeout_ms, options.low_speed_bytes_per_s,
         options.low_speed_seconds, options.max_redirects, options.ca_file},
        kReadBufferBytes);
  }

  Result<Bytes> fetch(std::uint32_t mirror, const std::string& path,
                      std::uint64_t max_bytes) override {
    return get(bases_.at(mirror) + '/' + path, max_bytes);
  }
  std::uint32_t mirrors() const override { return static_cast<std::uint32_t>(bases_.size()); }
  std::chrono::milliseconds spent() const override { return std::chrono::milliseconds(spent_ms_); }

 private:
  Result<Bytes> get(const std::string& url, std::uint64_t max_bytes) {
    SHOAL_TRY(stop_.check());
    CURL* handle = handle_.get();
    if (spent_ms_ >= all_files_ms_)
      return fail(ErrorKind::network_timeout,
                  fmt::format("GET {}: all files so far took {} s", url, spent_ms_ / 1000));
    Receiving receiving{handle, max_bytes, &stop_, {}};
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS,
                     static_cast<long>(std::min(file_ms_, all_files_ms_ - spent_ms_)));
    set_url(handle, url);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &receiving);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &on_progress);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &receiving);
    CURLcode code = curl_easy_perform(handle);
    curl_off_t took_us = 0;
    curl_easy_getinfo(handle, CURLINFO_TOTAL_TIME_T, &took_us);
    spent_ms_ += static_cast<std::uint64_t>(took_us + 999) / 1000;
    SHOAL_TRY(stop_.check());
    if (receiving.too_large)
      return fail(ErrorKind::too_large,
                  fmt::format("GET {}: more than the {} bytes allowed", url, max_bytes));
    if (code != CURLE_OK && !receiving.refused) return fail(curl_error(code, url));
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    if (status == 404 || status == 403 || status == 410)
      return fail(ErrorKind::not_found, fmt::format("GET {}: it is not there ({})", url, status));
    if (status != 200)
      return fail(ErrorKind::source_unavailable,
                  fmt::format("GET {}: the server answered {}", url, status));
    return std::move(receiving.body);
  }

  std::vector<std::string> bases_;
  StopToken stop_;
  EasyHandle handle_;
  std::uint64_t file_ms_;
  std::uint64_t all_files_ms_;
  std::uint64_t spent_ms_ = 0;  // on all files so far
};

}  // namespace

Result<std::unique_ptr<trust::Fetcher>> make_http_fetcher(const HttpFetcherOptions& options,
                                                          StopToken stop) {
  std::vector<std::string> bases;
  for (const auto& url : options.base_urls) {
    SHOAL_ASSIGN(auto base, checked_base_url(url));
    bases.push_back(std::move(base));
  }
  if (bases.empty())
    return fail(ErrorKind::invalid_request, "a repository needs at least one web address");
  return std::make_unique<HttpFetcher>(std::move(bases), options, std::move(stop));
}

}  // namespace shoal::edge
