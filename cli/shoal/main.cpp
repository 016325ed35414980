// shoal: the command line of the Shoal daemon.
// Parses, runs, and gives the exit code; everything else is in the library beside it.
#include "cli/shoal/commands.hpp"

int main(int argc, char** argv) {
  auto parsed = shoal::cli::parse_command_line(argc, argv);
  if (const auto* exit_code = std::get_if<shoal::cli::ExitCode>(&parsed)) return exit_code->code;
  return shoal::cli::run(std::get<shoal::cli::Options>(parsed));
}
