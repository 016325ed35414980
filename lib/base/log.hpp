// Logging behind a small class that is handed in: no global logger. Lines go to stderr, with the
// priority prefix that systemd's journal understands when stderr is the journal.
#pragma once

#include <fmt/core.h>

#include <memory>
#include <string_view>

namespace shoal {

enum class LogLevel { debug, info, warning, error, off };

// Thread-safe.
class Log {
 public:
  explicit Log(LogLevel lowest = LogLevel::info);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // `module` is the writer's name ("edge", "swarm"), a literal.
  void write(LogLevel level, std::string_view module, std::string_view message);
  bool enabled(LogLevel level) const { return level >= lowest_; }

  template <typename... Args>
  void debug(std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(LogLevel::debug))
      write(LogLevel::debug, module, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void info(std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(LogLevel::info))
      write(LogLevel::info, module, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void warning(std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(LogLevel::warning))
      write(LogLevel::warning, module, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void error(std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(LogLevel::error))
      write(LogLevel::error, module, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  struct Impl;
  LogLevel lowest_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal
