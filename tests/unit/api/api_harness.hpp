// A real ApiServer over a real socket, its loop on a thread of its own, a FakeService behind it.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "api/server.hpp"
#include "support/temp_dir.hpp"
#include "unit/api/fake_service.hpp"

namespace shoal::test {

class ApiHarness {
 public:
  explicit ApiHarness(api::ApiOptions options = {}) : options_(std::move(options)) {
    options_.socket = socket();
    start();
  }
  ~ApiHarness() { stop(); }

  std::filesystem::path socket() const { return folder_ / "api.sock"; }

  // Runs on the loop's thread, where service() may be touched, and waits for it.
  template <typename Task>
  auto on_loop(Task task) {
    std::packaged_task<std::invoke_result_t<Task>()> packaged(std::move(task));
    auto result = packaged.get_future();
    loop_->post([&packaged] { packaged(); });
    return result.get();
  }
  // Asks again and again, on the loop's thread, until it is so; false after ten seconds.
  bool wait_until(const std::function<bool()>& condition) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!on_loop(condition))
      if (std::chrono::steady_clock::now() > deadline) return false;
    return true;
  }
  FakeService& service() { return service_; }
  // Begins to stop in order; `stopped` becomes true on the loop's thread.
  void drain(bool& stopped) {
    on_loop([&] { server_->drain([&stopped] { stopped = true; }); });
  }
  void tell(const std::string& resource, const std::string& id) {
    on_loop([&] { service_.tell(resource, id); });
  }

  void start() {
    loop_ = std::make_unique<EventLoop>();
    server_ = std::make_unique<api::ApiServer>(*loop_, service_, log_, options_);
    auto listening = server_->listen();
    if (!listening) throw std::runtime_error(listening.error().describe());
    thread_ = std::thread([this] { loop_->run(); });
  }
  void stop() {
    if (!loop_) return;
    on_loop([this] { server_->stop(); });
    loop_->stop();
    thread_.join();
    service_.held.clear();
    server_.reset();
    loop_.reset();
  }

 private:
  TempDir folder_;
  api::ApiOptions options_;
  Log log_{LogLevel::off};
  FakeService service_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<api::ApiServer> server_;
  std::thread thread_;
};

}  // namespace shoal::test
