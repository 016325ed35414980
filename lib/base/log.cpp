// spdlog behind our own class. Under systemd (JOURNAL_STREAM is set) each line begins with its
// syslog priority, "<4>", and carries no time stamp, since the journal keeps its own.
#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <string>

namespace shoal {
namespace {

spdlog::level::level_enum spd_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

std::string_view journal_prefix(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "<7>";
    case LogLevel::info:
      return "<6>";
    case LogLevel::warning:
      return "<4>";
    case LogLevel::error:
    case LogLevel::off:
      return "<3>";
  }
  return "<6>";
}

}  // namespace

struct Log::Impl {
  bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  spdlog::logger logger{"shoal", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
};

Log::Log(LogLevel lowest) : lowest_(lowest), impl_(std::make_unique<Impl>()) {
  impl_->logger.set_level(spd_level(lowest));
  impl_->logger.set_pattern(impl_->journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %l %v");
  impl_->logger.flush_on(spdlog::level::debug);
}

Log::~Log() = default;

void Log::write(LogLevel level, std::string_view module, std::string_view message) {
  if (impl_->journal)
    impl_->logger.log(spd_level(level), "{}[{}] {}", journal_prefix(level), module, message);
  else
    impl_->logger.log(spd_level(level), "[{}] {}", module, message);
}

}  // namespace shoal
