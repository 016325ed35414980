// shoal-tracker: reads its options, listens, answers until SIGTERM. SIGHUP reads the list of
// torrents again; a repository is looked through every few seconds.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <csignal>
#include <random>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "http/server.hpp"
#include "tracker/tracker.hpp"

namespace shoal::tracker {
namespace {

constexpr auto kTidyPeriod = std::chrono::seconds(5);  // also how soon a new release is served
constexpr auto kDrainTime = std::chrono::seconds(2);   // for answers under way at SIGTERM

// An announce is one small request: what takes longer is not a client.
constexpr http::Limits kHttpLimits{.max_connections = 8192,
                                   .max_header_bytes = 8 << 10,
                                   .max_body_bytes = 0,
                                   .read_timeout_ms = 10'000,
                                   .write_timeout_ms = 10'000,
                                   .idle_timeout_ms = 15'000};

struct Options {
  std::vector<std::string> listen;
  AllowList::Sources sources;
  RegistryLimits limits;
};

struct Listen {
  std::string address;
  std::uint16_t port = 0;
};

// "192.0.2.1:6969" or "[2001:db8::1]:6969".
Result<Listen> parse_listen(const std::string& text) {
  auto colon = text.rfind(':');
  auto wrong =
      fail(ErrorKind::invalid_request,
           fmt::format("--listen {}: expected ADDRESS:PORT, as 0.0.0.0:6969 or [::]:6969", text));
  if (colon == std::string::npos) return wrong;
  Listen listen{text.substr(0, colon), 0};
  auto digits = std::string_view(text).substr(colon + 1);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), listen.port);
  if (error != std::errc() || end != digits.data() + digits.size()) return wrong;
  bool bracketed = listen.address.starts_with('[') && listen.address.ends_with(']');
  if (bracketed) listen.address = listen.address.substr(1, listen.address.size() - 2);
  if (bracketed != (listen.address.find(':') != std::string::npos)) return wrong;
  return listen;
}

class Program {
 public:
  explicit Program(const Options& options)
      : allowed_(options.sources),
        tracker_(options.limits, clock_, allowed_, std::random_device{}()),
        server_(loop_, kHttpLimits,
                [this](const http::Request& request, const std::shared_ptr<http::Responder>& to) {
                  to->send(tracker_.answer(request));
                }) {}

  Result<void> run(const std::vector<std::string>& listen) {
    SHOAL_TRY(allowed_.read_file());
    SHOAL_TRY(read_repository());
    for (const auto& text : listen) {
      SHOAL_ASSIGN(auto where, parse_listen(text));
      SHOAL_ASSIGN(auto port, server_.listen_tcp(where.address, where.port));
      bool v6 = where.address.find(':') != std::string::npos;
      log_.info("tracker", "listening on http://{}{}{}:{}/announce", v6 ? "[" : "", where.address,
                v6 ? "]" : "", port);
    }
    loop_.on_signal({SIGTERM, SIGINT, SIGHUP}, [this](int number) { on_signal(number); });
    tidy_later();
    loop_.run();
    return {};
  }

 private:
  Result<void> read_repository() {
    SHOAL_ASSIGN(auto problems, allowed_.read_repository());
    for (const auto& problem : problems) log_.warning("tracker", "{}", problem.message);
    return {};
  }

  void on_signal(int number) {
    if (number == SIGHUP) {
      auto read = allowed_.read_file();
      if (!read) log_.error("tracker", "kept the earlier list: {}", read.error().describe());
      tracker_.tidy();
      return;
    }
    if (std::exchange(stopping_, true)) return loop_.stop();
    loop_.after(kDrainTime, [this] { loop_.stop(); });
    server_.drain([this] { loop_.stop(); });
  }

  void tidy_later() {
    loop_.after(kTidyPeriod, [this] {
      if (auto read = read_repository(); !read)
        log_.error("tracker", "kept the earlier list: {}", read.error().describe());
      tracker_.tidy();
      tidy_later();
    });
  }

  Log log_;
  SystemClock clock_;
  EventLoop loop_;
  AllowList allowed_;
  Tracker tracker_;
  http::Server server_;
  bool stopping_ = false;
};

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Tells peers of each other: a BitTorrent tracker over HTTP, in memory.");
  app.add_option("--listen", options.listen, "ADDRESS:PORT, repeatable; [ADDRESS]:PORT for IPv6")
      ->required();
  app.add_option("--allow", options.sources.file,
                 "file of info hashes to serve, one per line; read again on SIGHUP");
  app.add_option("--repository", options.sources.repository,
                 "serve every *.torrent beneath this folder; looked through every 5 seconds");
  app.add_flag("--open", options.sources.open, "serve every torrent");
  app.add_option("--interval", options.limits.interval_s, "seconds between announces")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  app.add_option("--first-interval", options.limits.first_interval_s,
                 "seconds before a peer's second announce, and the least it may ask for")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!options.sources.open && !options.sources.file && !options.sources.repository) {
    fmt::print(stderr, "shoal-tracker: which torrents? Give --allow, --repository or --open.\n");
    return 2;
  }
  Program program(options);
  auto done = program.run(options.listen);
  if (done) return 0;
  fmt::print(stderr, "shoal-tracker: {}\n", done.error().describe());
  return done.error().kind == ErrorKind::invalid_request ? 2 : 1;
}

}  // namespace
}  // namespace shoal::tracker

int main(int argc, char** argv) { return shoal::tracker::run(argc, argv); }
