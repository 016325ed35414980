// The tracker's answers to HTTP requests, over its swarms and its list of torrents.
#pragma once

#include "base/clock.hpp"
#include "http/server.hpp"
#include "tracker/allow_list.hpp"
#include "tracker/registry.hpp"

namespace shoal::tracker {

struct Totals {
  std::uint64_t announces = 0;
  std::uint64_t scrapes = 0;
  std::uint64_t refused = 0;  // announces and scrapes answered with a failure reason
};

// One thread. GET /announce, /scrape (both bencoded; a failure is status 200 with a failure reason,
// as BEP 3 has it) and /status (JSON).
class Tracker {
 public:
  // The clock and the list must outlive it.
  Tracker(const RegistryLimits& limits, const Clock& clock, const AllowList& allowed,
          std::uint64_t random_seed);

  http::Response answer(const http::Request& request);
  // To be called every few seconds, and after the list has changed.
  void tidy();

 private:
  http::Response announce(const http::Request& request);
  http::Response scrape(const http::Request& request);
  http::Response status() const;
  http::Response refuse(std::string_view reason);

  const Clock& clock_;
  const AllowList& allowed_;
  SteadyMs started_;
  Registry registry_;
  Totals totals_;
};

}  // namespace shoal::tracker
