// Where a callback runs. The main thread's event loop and the worker pool both stand behind this,
// so that modules neither include Asio nor start threads, and tests run everything inline.
#pragma once

#include <functional>

namespace shoal {

class Executor {
 public:
  virtual ~Executor() = default;
  // Runs the task later, in order for a single-threaded executor. Callable from any thread.
  virtual void post(std::function<void()> task) = 0;
};

}  // namespace shoal
