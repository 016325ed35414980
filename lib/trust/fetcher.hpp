// What the updater asks of the network: bytes of one path, never more than a limit. Implemented by
// `edge` on curl; a fake repository in tests.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal::trust {

class Fetcher {
 public:
  virtual ~Fetcher() = default;
  // `path` is relative to the repository ("metadata/1.root.json"), percent-encoded where needed.
  // Blocks the calling thread (a worker's). Errors: not_found (404 and 403: the file does not
  // exist), too_large as soon as a byte beyond max_bytes is offered, network, network_timeout.
  virtual Result<Bytes> fetch(const std::string& path, std::uint64_t max_bytes) = 0;

  // How many mirrors there are to ask.
  virtual std::uint32_t mirrors() const { return 1; }
  // The bytes that fetch() gave last were refused: the next fetch() begins with another mirror.
  virtual void avoid_last_mirror() {}
  // Index of the mirror that the next fetch() begins with: the one that answered last.
  virtual std::uint32_t first_mirror() const { return 0; }
};

}  // namespace shoal::trust
