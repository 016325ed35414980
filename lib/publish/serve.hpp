// `shoal-publish serve`: the repository over HTTP/1.1, for demos, LANs and tests.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/error.hpp"

namespace shoal::publish {

struct ListenAddress {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  // 0: any
};

// "ADDRESS:PORT", "[ADDRESS]:PORT" or ":PORT" (every address). Errors: invalid_request.
Result<ListenAddress> parse_listen_address(std::string_view text);
// "http://127.0.0.1:8080/"
std::string url_of(const ListenAddress& address);

// Blocks until SIGINT or SIGTERM; `on_listening` is told the real port. Errors: not_found,
// conflict (port in use), not_allowed.
Result<void> serve(const std::filesystem::path& root, const ListenAddress& listen,
                   const std::function<void(const ListenAddress&)>& on_listening);

}  // namespace shoal::publish
