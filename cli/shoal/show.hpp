// Answers of the daemon as text for people.
#pragma once

#include <string>

#include "protocol/messages.hpp"

namespace shoal::cli {

std::string show(const protocol::Repositories& repositories);
std::string show(const protocol::Products& products);
std::string show(const protocol::Installs& installs);
std::string show(const protocol::Plan& plan);
std::string show(const protocol::Config& config);
std::string show(const protocol::Status& status);
// The files that a person should know about, a line each; "" when there are none.
std::string show_notes(const protocol::Change& change);
// What is wrong with a repository now, and what to do: a line or two each; "" when it is well.
std::string show_problems(const protocol::Repository& repository);
// "shoal: message" and the remedy, for stderr.
std::string show(const Error& error);

}  // namespace shoal::cli
