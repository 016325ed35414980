// Plain sockets with SO_RCVTIMEO as the deadline.
#include "unit/http/raw_client.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <future>
#include <stdexcept>

namespace shoal::http::test {
namespace {

constexpr auto kDeadline = std::chrono::seconds(20);

void set_deadline(int fd) {
  ::timeval limit{std::chrono::seconds(kDeadline).count(), 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

}  // namespace

RawClient RawClient::tcp(std::uint16_t port, const std::string& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  if (::connect(fd.get(), reinterpret_cast<const ::sockaddr*>(&to), sizeof to) != 0)
    throw std::runtime_error("connect failed");
  set_deadline(fd.get());
  return RawClient(std::move(fd));
}

RawClient RawClient::unix_socket(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<const ::sockaddr*>(&to), sizeof to) != 0)
    throw std::runtime_error("connect failed");
  set_deadline(fd.get());
  return RawClient(std::move(fd));
}

void RawClient::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    auto count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

bool RawClient::read_more() {
  char part[65536];
  auto count = ::recv(fd_.get(), part, sizeof part, 0);
  if (count > 0) buffer_.append(part, static_cast<std::size_t>(count));
  return count > 0;
}

std::string RawClient::read_until(std::string_view text) {
  while (buffer_.find(text) == std::string::npos && read_more()) {
  }
  return std::exchange(buffer_, {});
}

std::string RawClient::read_to_end() {
  while (read_more()) {
  }
  return std::exchange(buffer_, {});
}

std::string RawClient::read_response(bool with_body) {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (!read_more()) return std::exchange(buffer_, {});
  std::size_t size = end + 4;
  constexpr std::string_view kLength = "Content-Length: ";
  auto length = buffer_.find(kLength);
  if (with_body && length < end) size += std::stoull(buffer_.substr(length + kLength.size()));
  while (buffer_.size() < size && read_more()) {
  }
  auto response = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return response;
}

void RawClient::shrink_receive_buffer() const {
  int size = 4096;
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

ServerThread::ServerThread(Handler handler, Limits limits) {
  server_ = std::make_unique<Server>(loop_, limits, std::move(handler));
  port_ = server_->listen_tcp("127.0.0.1", 0).value();
}

void ServerThread::start() {
  thread_ = std::thread([this] { loop_.run(); });
}

ServerThread::~ServerThread() {
  if (thread_.joinable()) {
    run([this] { server_.reset(); });
    loop_.stop();
    thread_.join();
  }
}

void ServerThread::run(const std::function<void()>& task) {
  std::promise<void> done;
  loop_.post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

bool ServerThread::eventually(const std::function<bool()>& condition) {
  auto deadline = std::chrono::steady_clock::now() + kDeadline;
  bool holds = false;
  while (!holds && std::chrono::steady_clock::now() < deadline) {
    run([&] { holds = condition(); });
    std::this_thread::yield();
  }
  return holds;
}

}  // namespace shoal::http::test
