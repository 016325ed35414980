// The main thread's event loop: tasks, timers and signals, on Boost.Asio behind our own class.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>

#include "base/executor.hpp"

namespace boost::asio {
class io_context;
}

namespace shoal {

// Timers of the loop, as modules see them: a test drives them by hand.
class Timers {
 public:
  using Id = std::uint64_t;
  virtual ~Timers() = default;
  // Runs the task once, on the loop's thread, not before the delay is over. Loop thread only.
  virtual Id after(std::chrono::milliseconds delay, std::function<void()> task) = 0;
  virtual void cancel(Id timer) = 0;  // unknown or expired: nothing happens
};

class EventLoop final : public Executor, public Timers {
 public:
  EventLoop();
  ~EventLoop() override;

  void run();   // until stop(), again if need be; the calling thread becomes the loop's
  void stop();  // any thread

  void post(std::function<void()> task) override;
  Id after(std::chrono::milliseconds delay, std::function<void()> task) override;
  void cancel(Id timer) override;
  // Calls the handler on the loop's thread at each of these signals.
  void on_signal(std::initializer_list<int> signals, std::function<void(int)> handler);

  boost::asio::io_context& context();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal
