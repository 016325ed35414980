// A non-blocking Unix socket and poll(2). The wake descriptor is polled along, so that Ctrl-C ends
// a wait at once.
#include "client/connection.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace shoal::client {
namespace {

constexpr std::size_t kReceiveBytes = 64 << 10;
constexpr int kConnectTries = 50;  // a full backlog answers EAGAIN at once
constexpr std::uint32_t kConnectWaitMs = 20;

Error cancelled() { return {ErrorKind::cancelled, "interrupted", ""}; }

Error cannot_connect(int error_number, const std::string& path) {
  if (error_number == EACCES || error_number == EPERM)
    return {ErrorKind::not_allowed, "not allowed to connect to " + path, ""};
  return {ErrorKind::daemon_unreachable,
          "cannot reach the daemon at " + path + ": " + std::strerror(error_number), ""};
}

}  // namespace

int Deadline::left_ms() const {
  auto left = end_ - SystemClock().steady();
  return static_cast<int>(std::max<SteadyMs::rep>(0, left.count()));
}

Result<Connection> Connection::open(const std::filesystem::path& socket, int wake_fd) {
  const std::string path = socket.string();
  ::sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path || path.empty())
    return fail(ErrorKind::invalid_request, "the socket's path must have 1 to " +
                                                std::to_string(sizeof address.sun_path - 1) +
                                                " bytes: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(system_error(errno, "creating", "a socket"));
  for (int tries = 0; tries < kConnectTries; ++tries) {
    if (::connect(fd.get(), reinterpret_cast<const ::sockaddr*>(&address), sizeof address) == 0)
      return Connection(std::move(fd), path, wake_fd);
    if (errno != EAGAIN && errno != EINTR) break;
    SHOAL_TRY(pause_until(Deadline(kConnectWaitMs), wake_fd));
    errno = EAGAIN;
  }
  return fail(cannot_connect(errno, path));
}

Result<bool> Connection::wait(short events, const Deadline& deadline) {
  while (true) {
    std::array<::pollfd, 2> polled{{{fd_.get(), events, 0}, {wake_fd_, POLLIN, 0}}};
    int ready = ::poll(polled.data(), polled.size(), deadline.left_ms());
    if (ready < 0 && errno != EINTR) return fail(system_error(errno, "waiting for", name_));
    if (polled[1].revents != 0) return fail(cancelled());
    if (polled[0].revents != 0) return true;
    if (ready == 0) return false;
  }
}

Result<void> Connection::send(std::string_view bytes, const Deadline& deadline) {
  while (!bytes.empty()) {
    ::ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    // A daemon that refuses a large body answers and reads no further: the answer says why.
    if (errno == EPIPE) return {};
    if (errno != EAGAIN && errno != EINTR) return fail(gone(std::strerror(errno)));
    SHOAL_ASSIGN(bool writable, wait(POLLOUT, deadline));
    if (!writable) return fail(gone("it does not read the request"));
  }
  return {};
}

Result<std::string> Connection::receive(const Deadline& deadline) {
  std::string bytes(kReceiveBytes, '\0');
  while (true) {
    SHOAL_ASSIGN(bool readable, wait(POLLIN, deadline));
    if (!readable) return fail(gone("no answer in time"));
    ::ssize_t got = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (got >= 0) {
      bytes.resize(static_cast<std::size_t>(got));
      return bytes;
    }
    if (errno != EAGAIN && errno != EINTR) return fail(gone(std::strerror(errno)));
  }
}

Result<bool> Connection::wait_readable(const Deadline& deadline) { return wait(POLLIN, deadline); }

Error Connection::gone(std::string_view why) const {
  return {ErrorKind::daemon_unreachable, "lost the daemon at " + name_ + ": " + std::string(why),
          ""};
}

Result<void> pause_until(const Deadline& deadline, int wake_fd) {
  while (deadline.left_ms() > 0) {
    ::pollfd polled{wake_fd, POLLIN, 0};
    if (::poll(&polled, 1, deadline.left_ms()) > 0) return fail(cancelled());
  }
  return {};
}

std::string request_text(std::string_view method, std::string_view path, std::string_view body,
                         std::string_view last_event_id) {
  std::string text;
  text += method;
  text += ' ';
  text += path;
  text += " HTTP/1.1\r\nHost: shoal\r\nConnection: close\r\n";
  if (!last_event_id.empty()) {
    text += "Last-Event-ID: ";
    text += last_event_id;
    text += "\r\n";
  }
  if (!body.empty()) text += "Content-Type: application/json\r\n";
  if (!body.empty() || method == "POST")
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  text += "\r\n";
  text += body;
  return text;
}

}  // namespace shoal::client
