// The command line, parsed and checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "protocol/messages.hpp"

namespace shoal::cli {

enum class Command {
  repo_add,
  repo_list,
  repo_remove,
  start,  // install, update PRODUCT, verify, repair, uninstall
  update_all,
  plan,
  list,
  products,
  status,
  watch,
  pause,
  resume,
  cancel,
  config,  // limit, consent and config: show, and change what is given
};

struct Options {
  std::filesystem::path socket;  // "": the default one
  bool json = false;
  Command command = Command::status;
  protocol::ChangeRequest request;  // start, plan
  bool wait = true;                 // start, update_all
  std::string url;                  // repo_add
  std::filesystem::path root;       // repo_add
  std::int64_t repository = 0;      // repo_remove
  std::string change;               // pause, resume, cancel: an id or a product
  protocol::ConfigUpdate config{};  // config
};

// What remains to do when there is nothing to run: --help and --version (0), bad usage (2). The
// text has been printed.
struct ExitCode {
  int code = 0;
};

std::variant<Options, ExitCode> parse_command_line(int argc, const char* const* argv);

// PRODUCT, PRODUCT@CHANNEL or PRODUCT=VERSION into the request. Errors: invalid_request.
Result<void> parse_target(const std::string& text, protocol::ChangeRequest& request);

}  // namespace shoal::cli
