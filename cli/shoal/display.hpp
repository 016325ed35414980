// Shows changes while they run.
#pragma once

#include <memory>

#include "base/clock.hpp"
#include "protocol/messages.hpp"

namespace shoal::cli {

class Display {
 public:
  virtual ~Display() = default;
  virtual void update(const protocol::Change& change) = 0;  // also when it ends
  virtual void tick() = 0;                                  // about once a second
};

// How progress is shown: one bar per change on a terminal; elsewhere a line at each change of state
// and every ten seconds; nothing when the output is JSON.
std::unique_ptr<Display> make_display(bool json, const Clock& clock);

}  // namespace shoal::cli
