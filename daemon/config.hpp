// shoald's configuration: a TOML file and the same keys as flags; flags win.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/log.hpp"
#include "transfer/scheduler.hpp"
#include "transfer/swarm.hpp"

namespace shoal::daemon {

struct Config {
  std::filesystem::path state;
  std::filesystem::path socket;
  std::string socket_group = "shoal";  // its members may act; an absent group is no error
  std::vector<std::filesystem::path> libraries;
  std::string listen = "0.0.0.0:6881,[::]:6881";  // for peers
  std::string outgoing;                           // address that connections to peers leave from
  std::optional<transfer::Consent> consent;
  // Nothing: as it was set over the API. Nothing within: the publisher's.
  std::optional<std::optional<transfer::Policy>> policy;
  std::optional<std::uint64_t> upload_limit;    // bytes per second, 0: none
  std::optional<std::uint64_t> download_limit;  // bytes per second, 0: none
  bool lan_discovery = true;
  bool dht = true;  // where the publisher allows it
  bool pex = true;
  bool upnp = true;
  bool utp = true;
  std::optional<std::chrono::hours> keep_deltas;  // for other machines, after an update; 0: none
  LogLevel log_level = LogLevel::info;
};

// Where things are when nothing says otherwise: systemd's folders for a service, else the user's.
Config default_config();

struct ParsedArguments {
  Config config;
  std::optional<int> exit_code;  // --help, --version or an error that has been printed
};
ParsedArguments parse_arguments(int argc, char** argv);

// Sets one key from text; an array is several calls. Errors: invalid_request, with the nearest
// known key for an unknown one.
Result<void> set_option(Config& config, std::string_view key, const std::string& value);
// Reads a TOML file into the configuration. Errors: not_found, invalid_request with line and
// column.
Result<void> read_config_file(Config& config, const std::filesystem::path& path);

}  // namespace shoal::daemon
