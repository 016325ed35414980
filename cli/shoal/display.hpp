// Shows changes while they run.
#pragma once

#include <memory>
#include <string>

#include "base/clock.hpp"
#include "cli/shoal/progress.hpp"
#include "protocol/messages.hpp"

namespace shoal::cli {

class Display {
 public:
  virtual ~Display() = default;
  virtual void update(const protocol::Change& change) = 0;  // also when it ends
  virtual void tick() = 0;                                  // about once a second
  virtual void say(const std::string& line) = 0;            // about all of them
};

// How progress is shown: one bar per change on a terminal; elsewhere a line at each change of state
// and every ten seconds; nothing when the output is JSON.
std::unique_ptr<Display> make_display(bool json, const Clock& clock, Cause cause);

}  // namespace shoal::cli
