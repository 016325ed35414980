// A blocking, typed client of the local API. One connection per request: over a Unix socket that
// costs less than keeping track of one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "protocol/messages.hpp"

namespace shoal::client {

struct ClientOptions {
  std::filesystem::path socket;
  // For a whole answer. Adding a repository and asking for products reach out to mirrors first.
  std::uint32_t timeout_ms = 120'000;
  int wake_fd = -1;  // when it becomes readable, a call in progress ends with `cancelled`
};

// Where the daemon's socket is when nobody says: the system service's, or, when that is absent, the
// one of the user's own service (xdg_runtime_dir may be null).
std::filesystem::path default_socket(const char* xdg_runtime_dir);
inline constexpr const char* kSystemSocket = "/run/shoal/api.sock";

// Every call: Errors: what the daemon answered; daemon_unreachable when nobody answers at the
// socket, or not in time; not_allowed when the socket may not be opened; internal for an answer
// that makes no sense.
class Client {
 public:
  explicit Client(ClientOptions options) : options_(std::move(options)) {}

  Result<protocol::System> system() const;
  Result<protocol::Config> config() const;
  Result<protocol::Config> configure(const protocol::ConfigUpdate& update) const;

  Result<protocol::Repositories> repositories() const;
  Result<protocol::Repository> add_repository(const protocol::AddRepository& request) const;
  Result<void> remove_repository(std::int64_t id) const;

  Result<protocol::Products> products() const;
  Result<protocol::Installs> installs() const;
  Result<protocol::Install> install(std::int64_t id) const;

  Result<protocol::Plan> plan(const protocol::ChangeRequest& request) const;
  Result<protocol::Change> start(const protocol::ChangeRequest& request) const;
  Result<protocol::Changes> changes() const;
  Result<protocol::Change> change(const std::string& id) const;
  Result<protocol::Change> pause(const std::string& id) const;
  Result<protocol::Change> resume(const std::string& id) const;
  Result<protocol::Change> cancel(const std::string& id) const;

  // The body of any answer below 300, for what the typed calls do not cover.
  Result<std::string> request(std::string_view method, const std::string& path,
                              const std::string& body = {}) const;

 private:
  template <typename Message>
  Result<Message> call(std::string_view method, const std::string& path,
                       const std::string& body = {}) const;
  Result<protocol::Change> steer(const std::string& id, const char* verb) const;

  ClientOptions options_;
};

}  // namespace shoal::client
