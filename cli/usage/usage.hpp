// What is wrong with a command line, in words, with the nearest name for a misspelt one.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace shoal::cli {

// What CLI11 says of a refused command line, or more where it says little: which word is no command
// and which is no option. The words are as they were typed.
std::string what_is_wrong(const CLI::App& app, const CLI::ParseError& error);

}  // namespace shoal::cli
