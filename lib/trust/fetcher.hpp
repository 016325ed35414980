// What the updater asks of the network: bytes of one path from one mirror, never more than a limit.
// Implemented by `edge` on curl; a fake repository in tests. Which mirror is asked is decided here,
// in Mirrors.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal::trust {

class Fetcher {
 public:
  virtual ~Fetcher() = default;
  // `path` is relative to the repository ("metadata/1.root.json"), percent-encoded where needed;
  // `mirror` is less than mirrors(). Blocks the calling thread (a worker's). Errors: not_found (404
  // and 403: the file does not exist), too_large as soon as a byte beyond max_bytes is offered,
  // network, network_timeout, source_unavailable, cancelled.
  virtual Result<Bytes> fetch(std::uint32_t mirror, const std::string& path,
                              std::uint64_t max_bytes) = 0;
  // How many mirrors there are to ask, in order of preference; at least 1.
  virtual std::uint32_t mirrors() const { return 1; }
  // The time spent on files so far; by itself, it is not measured.
  virtual std::chrono::milliseconds spent() const { return {}; }
};

}  // namespace shoal::trust
