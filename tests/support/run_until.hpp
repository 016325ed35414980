// Runs a real event loop in the test's thread until a condition holds.
#pragma once

#include <chrono>
#include <functional>

#include "base/event_loop.hpp"

namespace shoal::test {

// False when the deadline passed first.
inline bool run_until(EventLoop& loop, const std::function<bool()>& condition,
                      std::chrono::milliseconds deadline = std::chrono::seconds(30)) {
  auto end = std::chrono::steady_clock::now() + deadline;
  bool held = false;
  std::function<void()> check = [&] {
    held = condition();
    if (held || std::chrono::steady_clock::now() > end)
      loop.stop();
    else
      loop.after(std::chrono::milliseconds(1), check);
  };
  loop.post(check);
  loop.run();
  return held;
}

}  // namespace shoal::test
