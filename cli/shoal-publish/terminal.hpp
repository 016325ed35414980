// The terminal: passphrases without echo, a progress bar, sizes that people read.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "publish/key_store.hpp"

namespace shoal::cli {

// SHOAL_PASSPHRASE, or a prompt on the terminal; `twice` for a new one. Never from the command
// line, which other users can see. Errors: wrong_passphrase when there is neither.
publish::AskPassphrase ask_passphrase(bool twice);

// Asks on the terminal. Errors: cancelled (anything but yes), invalid_request (no terminal to ask).
Result<void> confirm(std::string_view question);

std::string human_bytes(std::uint64_t bytes);

// One line on stderr, rewritten in place; nothing when stderr is no terminal.
class ProgressBar {
 public:
  explicit ProgressBar(std::string_view label);
  ~ProgressBar();  // clears the line
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(std::uint64_t done, std::uint64_t total);

 private:
  using Clock = std::chrono::steady_clock;
  std::string label_;
  bool enabled_;
  bool drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_;
};

// One bar after the other; each stage ends when the next begins.
class StageBars {
 public:
  void update(std::string_view stage, std::uint64_t done, std::uint64_t total);
  void end() { bar_.reset(); }  // clears the line; for other output

 private:
  std::string stage_;
  std::unique_ptr<ProgressBar> bar_;
};

}  // namespace shoal::cli
