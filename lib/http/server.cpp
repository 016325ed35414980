// Listeners. Each accepted socket becomes a Connection, which knows whether it is TCP or Unix only
// through its Peer; who a Unix peer is, is read at accept, before any byte of a request.
#include "http/server.hpp"

#include <fmt/core.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/asio.hpp"
#include "http/connection.hpp"

namespace shoal::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kBacklog = 256;                  // the kernel's queue of connections not yet accepted
constexpr std::uint32_t kAcceptPauseMs = 100;  // after a failed accept (out of descriptors)
constexpr std::size_t kMaxPeerGroups = 65536;  // NGROUPS_MAX

std::vector<std::uint32_t> peer_groups(int fd, ::gid_t primary) {
  std::vector<::gid_t> others(64);
  while (true) {
    auto size = static_cast<::socklen_t>(others.size() * sizeof(::gid_t));
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, others.data(), &size) == 0) {
      others.resize(size / sizeof(::gid_t));
      break;
    }
    auto wanted = size / sizeof(::gid_t);
    if (errno != ERANGE || wanted <= others.size() || wanted > kMaxPeerGroups) {
      others.clear();
      break;
    }
    others.resize(wanted);
  }
  std::vector<std::uint32_t> groups{primary};
  groups.insert(groups.end(), others.begin(), others.end());
  return groups;
}

Peer unix_peer(int fd) {
  Peer peer;
  ::ucred credentials{};
  ::socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return peer;
  peer.uid = credentials.uid;
  peer.groups = peer_groups(fd, credentials.gid);
  return peer;
}

Peer tcp_peer(const asio::generic::stream_protocol::endpoint& from) {
  asio::ip::tcp::endpoint endpoint;
  if (from.size() > endpoint.capacity()) return {};
  std::memcpy(endpoint.data(), from.data(), from.size());
  return {endpoint.address().to_string(), endpoint.port(), {}, {}};
}

// Removes a socket file on which nobody listens. Errors: conflict.
Result<void> remove_stale(const std::string& path, const ::sockaddr_un& address) {
  struct ::stat status{};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode))
    return fail(ErrorKind::conflict,
                fmt::format("listen on {}: the path exists and is not a socket", path),
                "Move it away, or choose another path for the socket.");
  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), reinterpret_cast<const ::sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN)
    return fail(ErrorKind::conflict, fmt::format("listen on {}: another process does", path),
                "Stop the other process, or choose another path for the socket.");
  if (errno != ECONNREFUSED) return fail(system_error(errno, "examine socket", path));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail(system_error(errno, "remove stale socket", path));
  return {};
}

struct UnixFile {
  std::string path;
  ::dev_t device = 0;
  ::ino_t inode = 0;
};

}  // namespace

// Shared with the handlers of pending accepts.
struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
  struct Listener {
    UniqueFd fd_until_adopted;
    int family = 0;
    asio::basic_socket_acceptor<asio::generic::stream_protocol> acceptor;
    asio::steady_timer pause;
    explicit Listener(asio::io_context& io) : acceptor(io), pause(io) {}
  };

  explicit Impl(std::shared_ptr<ServerContext> shared) : context(std::move(shared)) {}

  std::shared_ptr<ServerContext> context;
  std::vector<std::shared_ptr<Listener>> listeners;  // shared with their pending accept
  std::vector<UnixFile> unix_files;

  void add(UniqueFd fd, int family) {
    auto listener = std::make_shared<Listener>(context->loop.context());
    listener->family = family;
    listener->acceptor.assign(asio::generic::stream_protocol(family, 0), fd.release());
    listeners.push_back(listener);
    accept(listener);
  }

  void accept(const std::shared_ptr<Listener>& listener) {
    // The endpoint lives as long as the pending accept that fills it.
    auto from = std::make_shared<asio::generic::stream_protocol::endpoint>();
    listener->acceptor.async_accept(
        *from, [self = shared_from_this(), listener, from](
                   error_code error, asio::generic::stream_protocol::socket socket) {
          if (error == asio::error::operation_aborted || !listener->acceptor.is_open()) return;
          if (error) return self->accept_later(listener);
          self->welcome(UniqueFd(socket.release()), listener->family, *from);
          self->accept(listener);
        });
  }

  void accept_later(const std::shared_ptr<Listener>& listener) {
    listener->pause.expires_after(std::chrono::milliseconds(kAcceptPauseMs));
    listener->pause.async_wait([self = shared_from_this(), listener](error_code error) {
      if (!error && listener->acceptor.is_open()) self->accept(listener);
    });
  }

  void welcome(UniqueFd fd, int family, const asio::generic::stream_protocol::endpoint& from) {
    if (context->connections.size() >= context->limits.max_connections) return;
    auto peer = family == AF_UNIX ? unix_peer(fd.get()) : tcp_peer(from);
    if (peer.uid && connections_of(*peer.uid) >= context->limits.max_connections_per_user) return;
    if (family != AF_UNIX) {
      int on = 1;
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    auto socket = make_socket(context->loop, std::move(fd), family);
    std::make_shared<Connection>(context, std::move(socket), std::move(peer))->start();
  }

  // So that one user cannot keep the others out.
  std::size_t connections_of(std::uint32_t uid) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        context->connections, [&](const Connection* each) { return each->peer().uid == uid; }));
  }

  void stop_listening() {
    for (const auto& listener : listeners) {
      error_code ignored;
      static_cast<void>(listener->acceptor.close(ignored));
      listener->pause.cancel();
    }
    listeners.clear();
    for (const auto& file : unix_files) {
      struct ::stat status{};
      if (::lstat(file.path.c_str(), &status) == 0 && status.st_ino == file.inode &&
          status.st_dev == file.device)
        ::unlink(file.path.c_str());
    }
    unix_files.clear();
  }

  // Closing takes a connection out of the set, so the walk is over a copy that holds each alive.
  std::vector<std::shared_ptr<Connection>> all_connections() const {
    std::vector<std::shared_ptr<Connection>> all;
    for (auto* connection : context->connections)
      if (auto held = connection->weak_from_this().lock()) all.push_back(std::move(held));
    return all;
  }
};

Server::Server(EventLoop& loop, Limits limits, Handler handler) {
  std::signal(SIGPIPE, SIG_IGN);  // sendfile has no MSG_NOSIGNAL
  auto context = std::make_shared<ServerContext>(loop, limits, std::move(handler));
  impl_ = std::make_shared<Impl>(std::move(context));
}

Server::~Server() {
  stop();
  impl_->context->handler = nullptr;
}

Result<void> Server::listen_unix(const std::string& path, unsigned mode) {
  ::sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail(ErrorKind::invalid_request,
                fmt::format("listen on {}: a socket's path has 1 to {} bytes", path,
                            sizeof address.sun_path - 1));
  std::memcpy(address.sun_path, path.data(), path.size());
  SHOAL_TRY(remove_stale(path, address));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(system_error(errno, "create socket", path));
  // The file is born with the descriptor's mode less the umask: never wider than asked for.
  ::fchmod(fd.get(), mode);
  if (::bind(fd.get(), reinterpret_cast<const ::sockaddr*>(&address), sizeof address) != 0)
    return fail(system_error(errno, "listen on", path));
  struct ::stat status{};
  if (::chmod(path.c_str(), mode) != 0 || ::listen(fd.get(), kBacklog) != 0 ||
      ::lstat(path.c_str(), &status) != 0)
    return fail(system_error(errno, "listen on", path));
  impl_->unix_files.push_back({path, status.st_dev, status.st_ino});
  impl_->add(std::move(fd), AF_UNIX);
  return {};
}

Result<std::uint16_t> Server::listen_tcp(const std::string& address, std::uint16_t port) {
  auto name = fmt::format("{}:{}", address, port);
  error_code error;
  auto parsed = asio::ip::make_address(address, error);
  if (error)
    return fail(ErrorKind::invalid_request, fmt::format("listen on {}: not an IP address", name));
  asio::ip::tcp::endpoint endpoint(parsed, port);
  UniqueFd fd(
      ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(system_error(errno, "create socket", name));
  int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // So that 0.0.0.0 and :: can both be listened on, and no peer appears as ::ffff:a.b.c.d.
  if (parsed.is_v6()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  auto size = static_cast<::socklen_t>(endpoint.size());
  if (::bind(fd.get(), endpoint.data(), size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    if (errno == EADDRINUSE)
      return fail(ErrorKind::conflict, fmt::format("listen on {}: the port is in use", name),
                  "Stop the other process, or choose another port.");
    if (errno == EADDRNOTAVAIL)
      return fail(ErrorKind::invalid_request,
                  fmt::format("listen on {}: this machine has no such address", name));
    return fail(system_error(errno, "listen on", name));
  }
  size = static_cast<::socklen_t>(endpoint.capacity());
  if (::getsockname(fd.get(), endpoint.data(), &size) != 0)
    return fail(system_error(errno, "listen on", name));
  impl_->add(std::move(fd), endpoint.protocol().family());
  return endpoint.port();
}

void Server::stop() {
  impl_->stop_listening();
  impl_->context->on_connection_closed = nullptr;
  for (const auto& connection : impl_->all_connections()) connection->close();
}

void Server::drain(std::function<void()> on_drained) {
  impl_->stop_listening();
  impl_->context->draining = true;
  auto context = impl_->context.get();
  impl_->context->on_connection_closed = [context, done = std::move(on_drained)]() mutable {
    if (context->connections.empty() && done) context->loop.post(std::exchange(done, nullptr));
  };
  for (const auto& connection : impl_->all_connections()) connection->drain();
  if (impl_->context->on_connection_closed) impl_->context->on_connection_closed();
}

std::size_t Server::connections() const { return impl_->context->connections.size(); }

}  // namespace shoal::http
