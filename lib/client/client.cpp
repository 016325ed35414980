// Each typed call is a method, a path and two messages. What the daemon refuses comes back as its
// own error, kind and remedy included.
#include "client/client.hpp"

#include "base/bytes.hpp"
#include "client/connection.hpp"
#include "client/response_reader.hpp"
#include "protocol/codec.hpp"

namespace shoal::client {
namespace {

constexpr std::size_t kMaxAnswerBytes = 64 << 20;  // far above the largest list of changes

// An id as one path segment: everything that is not plainly a name is escaped.
std::string path_segment(const std::string& text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
  std::string segment;
  for (char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      segment += c;
    } else {
      auto byte = static_cast<std::uint8_t>(c);
      segment += '%';
      segment += to_hex({&byte, 1});
    }
  }
  return segment;
}

Error error_of(int status, const std::string& body) {
  auto error = protocol::decode<Error>(body, protocol::UnknownFields::ignore);
  if (error) return std::move(*error);
  return Error{ErrorKind::internal,
               "the daemon answered with status " + std::to_string(status) + " and no reason", ""};
}

}  // namespace

std::filesystem::path default_socket(const char* xdg_runtime_dir) {
  std::error_code ignored;
  if (!std::filesystem::exists(kSystemSocket, ignored) && xdg_runtime_dir != nullptr) {
    auto of_user = std::filesystem::path(xdg_runtime_dir) / "shoal" / "api.sock";
    if (std::filesystem::exists(of_user, ignored)) return of_user;
  }
  return kSystemSocket;
}

Result<std::string> Client::request(std::string_view method, const std::string& path,
                                    const std::string& body) const {
  SHOAL_ASSIGN(auto connection, Connection::open(options_.socket, options_.wake_fd));
  Deadline deadline(options_.timeout_ms);
  SHOAL_TRY(connection.send(request_text(method, path, body), deadline));
  ResponseReader reader(kMaxAnswerBytes);
  while (!reader.complete()) {
    SHOAL_ASSIGN(auto bytes, connection.receive(deadline));
    if (bytes.empty()) {
      SHOAL_TRY(reader.end());
    } else {
      SHOAL_TRY(reader.feed(bytes));
    }
  }
  if (reader.status() >= 300) return fail(error_of(reader.status(), reader.take_body()));
  return reader.take_body();
}

template <typename Message>
Result<Message> Client::call(std::string_view method, const std::string& path,
                             const std::string& body) const {
  SHOAL_ASSIGN(auto answer, request(method, path, body));
  auto message = protocol::decode<Message>(answer, protocol::UnknownFields::ignore);
  if (!message)
    return fail(ErrorKind::internal,
                "the daemon's answer to " + path + " makes no sense: " + message.error().message,
                "Use a shoal and a shoald of the same version.");
  return message;
}

Result<protocol::System> Client::system() const {
  return call<protocol::System>("GET", "/v1/system");
}

Result<protocol::Config> Client::config() const {
  return call<protocol::Config>("GET", "/v1/config");
}

Result<protocol::Config> Client::configure(const protocol::ConfigUpdate& update) const {
  return call<protocol::Config>("PATCH", "/v1/config", protocol::encode(update));
}

Result<protocol::Repositories> Client::repositories() const {
  return call<protocol::Repositories>("GET", "/v1/repositories");
}

Result<protocol::Repository> Client::add_repository(const protocol::AddRepository& request) const {
  return call<protocol::Repository>("POST", "/v1/repositories", protocol::encode(request));
}

Result<void> Client::remove_repository(std::int64_t id) const {
  SHOAL_TRY(request("DELETE", "/v1/repositories/" + std::to_string(id)));
  return {};
}

Result<protocol::Products> Client::products() const {
  return call<protocol::Products>("GET", "/v1/products");
}

Result<protocol::Installs> Client::installs() const {
  return call<protocol::Installs>("GET", "/v1/installs");
}

Result<protocol::Install> Client::install(std::int64_t id) const {
  return call<protocol::Install>("GET", "/v1/installs/" + std::to_string(id));
}

Result<protocol::Plan> Client::plan(const protocol::ChangeRequest& request) const {
  return call<protocol::Plan>("POST", "/v1/plans", protocol::encode(request));
}

Result<protocol::Change> Client::start(const protocol::ChangeRequest& request) const {
  return call<protocol::Change>("POST", "/v1/changes", protocol::encode(request));
}

Result<protocol::Changes> Client::changes() const {
  return call<protocol::Changes>("GET", "/v1/changes");
}

Result<protocol::Change> Client::change(const std::string& id) const {
  return call<protocol::Change>("GET", "/v1/changes/" + path_segment(id));
}

Result<protocol::Change> Client::pause(const std::string& id) const { return steer(id, "pause"); }
Result<protocol::Change> Client::resume(const std::string& id) const { return steer(id, "resume"); }
Result<protocol::Change> Client::cancel(const std::string& id) const { return steer(id, "cancel"); }

Result<protocol::Change> Client::steer(const std::string& id, const char* verb) const {
  return call<protocol::Change>("POST", "/v1/changes/" + path_segment(id) + "/" + verb);
}

}  // namespace shoal::client
