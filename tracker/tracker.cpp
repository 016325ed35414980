// Three routes. A torrent that is not on the list is refused before anything is noted about it, so
// that strangers cannot make the tracker grow.
#include "tracker/tracker.hpp"

#include <fmt/core.h>

#include "tracker/response.hpp"

namespace shoal::tracker {
namespace {

constexpr std::string_view kNotServed = "this tracker does not serve that torrent";

http::Response bencoded(std::string body) {
  http::Response response;
  response.content_type = "text/plain";  // what trackers send and every client accepts
  response.body = std::move(body);
  return response;
}

http::Response plain(int status, std::string text) {
  http::Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text);
  return response;
}

}  // namespace

Tracker::Tracker(const RegistryLimits& limits, const Clock& clock, const AllowList& allowed,
                 std::uint64_t random_seed)
    : clock_(clock), allowed_(allowed), started_(clock.steady()), registry_(limits, random_seed) {}

http::Response Tracker::answer(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") {
    auto response = plain(405, "only GET is answered\n");
    response.headers["Allow"] = "GET, HEAD";
    return response;
  }
  if (request.path == "/announce") return announce(request);
  if (request.path == "/scrape") return scrape(request);
  if (request.path == "/status") return status();
  return plain(404, "a tracker answers /announce, /scrape and /status\n");
}

http::Response Tracker::announce(const http::Request& request) {
  ++totals_.announces;
  auto announce = parse_announce(request.raw_query);
  if (!announce) return refuse(announce.error().message);
  auto from = Address::parse(request.peer.address);
  if (!from) return refuse("the connection has no address of the Internet");
  if (!allowed_.allows(announce->info_hash)) return refuse(kNotServed);
  auto answer = registry_.announce(*announce, *from, clock_.steady());
  if (!answer) return refuse(answer.error().message);
  return bencoded(announce_body(*announce, *answer));
}

http::Response Tracker::scrape(const http::Request& request) {
  ++totals_.scrapes;
  auto hashes = parse_scrape(request.raw_query);
  if (!hashes) return refuse(hashes.error().message);
  std::vector<std::pair<InfoHash, Counts>> files;
  for (const auto& hash : *hashes)
    if (allowed_.allows(hash)) files.emplace_back(hash, registry_.counts(hash).value_or(Counts{}));
  if (files.empty()) return refuse(kNotServed);
  return bencoded(scrape_body(std::move(files)));
}

http::Response Tracker::status() const {
  auto sum = registry_.totals();
  auto uptime = std::chrono::duration_cast<std::chrono::seconds>(clock_.steady() - started_);
  http::Response response;
  response.body = fmt::format(
      R"({{"torrents":{},"listed":{},"seeds":{},"leechers":{},"completed":{},"announces":{},)"
      R"("scrapes":{},"refused":{},"uptime_seconds":{}}})"
      "\n",
      registry_.torrents(), allowed_.size(), sum.seeds, sum.leechers, sum.completed,
      totals_.announces, totals_.scrapes, totals_.refused, uptime.count());
  return response;
}

http::Response Tracker::refuse(std::string_view reason) {
  ++totals_.refused;
  return bencoded(failure_body(reason));
}

void Tracker::tidy() {
  registry_.expire(clock_.steady());
  registry_.keep_only([this](const InfoHash& hash) { return allowed_.allows(hash); });
}

}  // namespace shoal::tracker
