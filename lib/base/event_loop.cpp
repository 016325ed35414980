// io_context with a work guard; timers are kept by id, so that cancelling one that has fired is
// harmless.
#include "base/event_loop.hpp"

#include <unordered_map>

#include "base/asio.hpp"

namespace shoal {

namespace asio = boost::asio;

struct EventLoop::Impl {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
  std::unordered_map<Id, std::unique_ptr<asio::steady_timer>> timers;
  Id next_timer = 1;
  std::unique_ptr<asio::signal_set> signals;
  std::function<void(int)> signal_handler;

  void wait_for_signal() {
    signals->async_wait([this](const boost::system::error_code& error, int number) {
      if (error) return;
      signal_handler(number);
      wait_for_signal();
    });
  }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::run() {
  impl_->context.restart();  // it may have been stopped before
  impl_->context.run();
}
void EventLoop::stop() { impl_->context.stop(); }
asio::io_context& EventLoop::context() { return impl_->context; }

void EventLoop::post(std::function<void()> task) { asio::post(impl_->context, std::move(task)); }

EventLoop::Id EventLoop::after(std::chrono::milliseconds delay, std::function<void()> task) {
  Id id = impl_->next_timer++;
  auto timer = std::make_unique<asio::steady_timer>(impl_->context, delay);
  timer->async_wait([this, id, task = std::move(task)](const boost::system::error_code& error) {
    if (error || impl_->timers.erase(id) == 0) return;
    task();
  });
  impl_->timers.emplace(id, std::move(timer));
  return id;
}

void EventLoop::cancel(Id timer) { impl_->timers.erase(timer); }

void EventLoop::on_signal(std::initializer_list<int> signals, std::function<void(int)> handler) {
  impl_->signals = std::make_unique<asio::signal_set>(impl_->context);
  for (int number : signals) impl_->signals->add(number);
  impl_->signal_handler = std::move(handler);
  impl_->wait_for_signal();
}

}  // namespace shoal
