// The two clocks, behind one header, so that tests set them. Wall time judges expiry dates; steady
// time measures rates and deadlines.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace shoal {

using UtcSeconds = std::chrono::sys_seconds;
using SteadyMs = std::chrono::milliseconds;  // since an arbitrary start; never goes back

class Clock {
 public:
  virtual ~Clock() = default;
  virtual UtcSeconds now() const = 0;
  virtual SteadyMs steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  UtcSeconds now() const override;
  SteadyMs steady() const override;
};

// "2026-11-22T12:30:00Z" (RFC 3339, UTC, whole seconds).
std::string format_utc(UtcSeconds time);
// Of exactly that form, as TUF 4.1 asks for it too, and without leap seconds, which UtcSeconds
// cannot tell from the next minute; empty for anything else.
std::optional<UtcSeconds> parse_utc(std::string_view text);

}  // namespace shoal
