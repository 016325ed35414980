// CLI11 says of a misspelt command that one is required, and of a misspelt option that it was not
// expected: what was meant is found here.
#include "cli/usage/usage.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/nearest.hpp"

namespace shoal::cli {
namespace {

// The innermost command that was given.
const CLI::App& deepest(const CLI::App& app) {
  auto below = app.get_subcommands();
  return below.empty() ? app : deepest(*below.front());
}

std::string meant(const std::string& nearest) {
  return nearest.empty() ? "" : "; did you mean '" + nearest + "'?";
}

// "" when it is something else that is wrong.
std::string about_unknown_command(const CLI::App& app) {
  const auto& parent = deepest(app);
  auto known = parent.get_subcommands([](const CLI::App*) { return true; });
  if (known.empty()) return "";
  std::vector<std::string> names;
  names.reserve(known.size());
  for (const auto* command : known) names.push_back(command->get_name());
  for (const auto& word : app.remaining(true)) {
    if (word.starts_with('-')) continue;
    auto place = &parent == &app ? "" : fmt::format(" under '{}'", parent.get_name());
    return fmt::format("there is no command '{}'{}{}", word, place,
                       meant(nearest_name(word, names)));
  }
  return "";
}

// The same for an option: those of the command, and those that may stand anywhere.
std::string about_unknown_option(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* command : {&app, &deepest(app)})
    for (const auto* option : command->get_options())
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  for (const auto& word : app.remaining(true)) {
    if (!word.starts_with('-')) continue;
    auto name = word.substr(0, word.find('='));
    return "there is no option '" + name + "'" + meant(nearest_name(name, names));
  }
  return "";
}

}  // namespace

Error usage_error(const CLI::App& app, const CLI::ParseError& error) {
  std::string message = about_unknown_command(app);
  if (message.empty()) message = about_unknown_option(app);
  if (message.empty()) message = error.what();
  return {ErrorKind::invalid_request, message, "Run with --help for more information."};
}

bool asks_for_json(int argc, const char* const* argv) {
  return std::any_of(argv, argv + argc,
                     [](const char* word) { return std::string_view(word) == "--json"; });
}

}  // namespace shoal::cli
