// The operating system's clocks.
#include "base/clock.hpp"

#include <fmt/chrono.h>

namespace shoal {

UtcSeconds SystemClock::now() const {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

SteadyMs SystemClock::steady() const {
  return std::chrono::duration_cast<SteadyMs>(std::chrono::steady_clock::now().time_since_epoch());
}

std::string format_utc(UtcSeconds time) {
  auto days = std::chrono::floor<std::chrono::days>(time);
  std::chrono::year_month_day date{days};
  std::chrono::hh_mm_ss clock{time - days};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace shoal
