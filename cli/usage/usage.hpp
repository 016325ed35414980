// What is wrong with a command line, in words, with the nearest name for a misspelt one.
#pragma once

#include <CLI/CLI.hpp>

#include "base/error.hpp"

namespace shoal::cli {

// invalid_request: what CLI11 says of a refused command line, or more where it says little: which
// word is no command and which is no option. The words are as they were typed.
Error usage_error(const CLI::App& app, const CLI::ParseError& error);

// Whether --json stands anywhere: parsing may have ended before it came to the flag.
bool asks_for_json(int argc, const char* const* argv);

}  // namespace shoal::cli
