// The local API: HTTP/1.1 + JSON over a Unix socket, for the agent behind it. There is no TCP port.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "agent/service.hpp"
#include "api/event_hub.hpp"
#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "http/server.hpp"

namespace shoal::api {

struct ApiOptions {
  std::filesystem::path socket;         // its folder must exist
  unsigned socket_mode = 0666;          // everyone local may read
  std::string socket_group;             // the socket's owning group; "" leaves it
  std::string allowed_group = "shoal";  // its members may act, besides root and our own user
  http::Limits http;                    // bodies over http.max_body_bytes are refused
  HubLimits events;
  std::size_t max_requests_per_user = 64;  // being answered at once
  std::size_t max_streams_per_user = 16;
  // Instead of the rule of permissions.hpp; for tests.
  std::function<bool(const http::Peer&)> may_act;
};

// Loop thread only. The loop, the service and the log must outlive it; it becomes the service's
// listener.
class ApiServer {
 public:
  ApiServer(EventLoop& loop, agent::Service& service, Log& log, ApiOptions options);
  ~ApiServer();  // stops

  // Errors: conflict when another daemon listens there, not_allowed, not_found, io_error.
  Result<void> listen();
  void stop();  // closes the socket, connections and streams
  // Takes no new requests, ends the streams, lets requests under way be answered, for kDrainLimit
  // at most; then stops and calls back.
  static constexpr std::chrono::milliseconds kDrainLimit{2'000};
  void drain(std::function<void()> on_stopped);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::api
