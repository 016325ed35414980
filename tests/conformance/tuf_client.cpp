// A TUF client of a few calls (init, refresh, download) over shoal::trust, for recorded
// repositories of other implementations. Only the fetching and the command line are its own.
#include <curl/curl.h>
#include <fmt/core.h>

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "trust/updater.hpp"

namespace {

using namespace shoal;

class CurlFetcher final : public trust::Fetcher {
 public:
  CurlFetcher() : curl_(curl_easy_init()) {}
  ~CurlFetcher() override { curl_easy_cleanup(curl_); }
  CurlFetcher(const CurlFetcher&) = delete;
  CurlFetcher& operator=(const CurlFetcher&) = delete;

  Result<Bytes> fetch(std::uint32_t, const std::string& url, std::uint64_t max_bytes) override {
    Body body{{}, max_bytes, false};
    curl_easy_reset(curl_);
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl_, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &CurlFetcher::receive);
    curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &body);
    CURLcode code = curl_easy_perform(curl_);
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    if (status == 404 || status == 403) return fail(ErrorKind::not_found, url + ": not there");
    if (body.too_large) return fail(ErrorKind::too_large, url + ": too many bytes");
    if (code != CURLE_OK) return fail(ErrorKind::network, url + ": " + curl_easy_strerror(code));
    if (status != 200) return fail(ErrorKind::network, fmt::format("{}: status {}", url, status));
    return std::move(body.bytes);
  }

 private:
  struct Body {
    Bytes bytes;
    std::uint64_t max_bytes;
    bool too_large;
  };
  static std::size_t receive(char* data, std::size_t size, std::size_t count, void* user) {
    auto& body = *static_cast<Body*>(user);
    if (size * count > body.max_bytes - body.bytes.size()) {
      body.too_large = true;
      return 0;
    }
    body.bytes.insert(body.bytes.end(), data, data + size * count);
    return size * count;
  }
  CURL* curl_;
};

struct Arguments {
  std::string metadata_dir, metadata_url, target_dir, target_base_url;
  std::vector<std::string> target_names;
  std::vector<std::string> words;  // the command and its argument
};

Arguments parse(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (word == "--metadata-dir")
      out.metadata_dir = value();
    else if (word == "--metadata-url")
      out.metadata_url = value();
    else if (word == "--target-dir")
      out.target_dir = value();
    else if (word == "--target-base-url")
      out.target_base_url = value();
    else if (word == "--target-name")
      out.target_names.push_back(value());
    else
      out.words.push_back(word);
  }
  return out;
}

std::string with_slash(std::string url) {
  if (!url.ends_with('/')) url += '/';
  return url;
}

Result<void> run(const Arguments& arguments) {
  const auto& words = arguments.words;
  if (words.size() == 2 && words[0] == "init") {
    SHOAL_ASSIGN(auto root, read_file(words[1], trust::Limits{}.root_bytes));
    // The cases want it kept as it is and judged by the refresh; trust_initial_root would refuse a
    // bad one at once.
    return write_file_atomic(std::filesystem::path(arguments.metadata_dir) / "root.json", root);
  }
  if (words.size() != 1 || (words[0] != "refresh" && words[0] != "download"))
    return fail(ErrorKind::invalid_request, "usage: init ROOT | refresh | download");
  CurlFetcher fetcher;
  trust::Limits limits;
  limits.recompute_key_ids = false;  // other tools make them in other ways
  trust::Updater updater(arguments.metadata_dir, with_slash(arguments.metadata_url),
                         with_slash(arguments.target_base_url), fetcher, SystemClock().now(),
                         limits);
  SHOAL_TRY(updater.refresh());
  for (const auto& name : arguments.target_names) {
    SHOAL_ASSIGN(auto target, updater.find_target(name));
    SHOAL_ASSIGN(auto bytes, updater.download_target(target));
    auto path = std::filesystem::path(arguments.target_dir) / name;  // name: a safe relative path
    SHOAL_TRY(make_directories(path.parent_path()));
    SHOAL_TRY(write_file_atomic(path, bytes));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  auto done = run(parse(argc, argv));
  if (!done) fmt::print(stderr, "{}\n", done.error().describe());
  curl_global_cleanup();
  return done ? 0 : 1;
}
