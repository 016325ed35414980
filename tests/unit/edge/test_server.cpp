// Plain sockets, a thread for each connection: small numbers, and faults that a real server library
// would not let us make.
#include "test_server.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace shoal::test {
namespace {

bool send_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

bool send_text(int fd, const std::string& text) { return send_all(fd, as_bytes(text)); }

// One request's head; empty at the end of the connection.
std::string read_head(int fd) {
  std::string head;
  char c = 0;
  while (!head.ends_with("\r\n\r\n")) {
    if (::recv(fd, &c, 1, 0) <= 0) return {};
    head += c;
  }
  return head;
}

int listen_on(int& port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  ::sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::socklen_t length = sizeof address;
  if (::bind(fd, reinterpret_cast<::sockaddr*>(&address), length) != 0 || ::listen(fd, 64) != 0 ||
      ::getsockname(fd, reinterpret_cast<::sockaddr*>(&address), &length) != 0)
    throw std::runtime_error("cannot listen on loopback");
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

TestServer::TestServer() { start_listening(); }

TestServer::~TestServer() { stop_listening(); }

std::string TestServer::url() const { return fmt::format("http://127.0.0.1:{}", port_); }

void TestServer::start_listening() {
  closing_ = false;
  listener_ = listen_on(port_);
  acceptor_ = std::thread([this, fd = listener_] { accept_loop(fd); });
}

void TestServer::stop_listening() {
  if (listener_ < 0) return;
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    gate_.notify_all();
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(std::exchange(listener_, -1));
  for (auto& connection : connections_) ::shutdown(connection.fd, SHUT_RDWR);
  for (auto& connection : connections_) {
    connection.thread.join();
    ::close(connection.fd);
  }
  connections_.clear();
}

void TestServer::accept_loop(int listener) {
  while (!closing_) {
    int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++connections_count_;
    auto& connection = connections_.emplace_back();
    connection.fd = fd;
    connection.thread = std::thread([this, fd] { serve(fd); });
  }
}

void TestServer::put(const std::string& path, Bytes bytes) {
  std::lock_guard lock(mutex_);
  objects_["/" + path] = std::move(bytes);
}

std::vector<TestServer::Request> TestServer::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

void TestServer::close_gate() {
  std::lock_guard lock(mutex_);
  gate_closed_ = true;
}

void TestServer::open_gate() {
  std::lock_guard lock(mutex_);
  gate_closed_ = false;
  gate_.notify_all();
}

void TestServer::wait_at_gate() {
  std::unique_lock lock(mutex_);
  gate_.wait(lock, [this] { return !gate_closed_ || closing_; });
}

void TestServer::serve(int fd) {
  while (!closing_) {
    std::string head = read_head(fd);
    if (head.empty()) break;
    Request request;
    auto space = head.find(' ');
    request.path = head.substr(space + 1, head.find(' ', space + 1) - space - 1);
    request.headers = head;
    if (auto range = head.find("Range: bytes="); range != std::string::npos) {
      char* end = nullptr;
      request.begin = std::strtoull(head.c_str() + range + 13, &end, 10);
      request.end = std::strtoull(end + 1, nullptr, 10) + 1;
    }
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    wait_at_gate();
    if (!answer(fd, request)) break;
  }
  ::shutdown(fd, SHUT_RDWR);
}

// False when the connection is to be closed.
bool TestServer::answer(int fd, const Request& request) {
  Fault fault = fault_;
  Bytes object;
  bool there = false;
  {
    std::lock_guard lock(mutex_);
    if (auto found = objects_.find(request.path); found != objects_.end()) {
      object = found->second;
      there = true;
    }
  }
  auto empty_answer = [&](const std::string& status) {
    return send_text(fd, fmt::format("HTTP/1.1 {}\r\nContent-Length: 5\r\n\r\nsorry", status));
  };
  if (fault == Fault::not_satisfiable) return empty_answer("416 Range Not Satisfiable");
  if (fault == Fault::server_error) return empty_answer("503 Service Unavailable");
  if (fault == Fault::redirect_loop) return empty_answer("302 Found\r\nLocation: " + request.path);
  const bool behind_bait = fault == Fault::bait && request.begin > 0;
  if (!there || fault == Fault::not_found || behind_bait) return empty_answer("404 Not Found");
  return answer_normally(fd, request, object, fault);
}

bool TestServer::answer_normally(int fd, const Request& request, const Bytes& object, Fault fault) {
  bool ranged = request.end != 0 && fault != Fault::ignores_range;
  std::uint64_t begin = ranged ? request.begin : 0;
  std::uint64_t end = ranged ? std::min<std::uint64_t>(request.end, object.size()) : object.size();
  if (begin >= end && ranged) return send_text(fd, "HTTP/1.1 416 x\r\nContent-Length: 0\r\n\r\n");
  Bytes body(object.begin() + static_cast<std::ptrdiff_t>(begin),
             object.begin() + static_cast<std::ptrdiff_t>(end));
  const bool wrong_now = fault == Fault::wrong_once && begin == 0 && !was_wrong_.exchange(true);
  if (fault == Fault::wrong_bytes || fault == Fault::bait || wrong_now)
    for (auto& byte : body) byte = static_cast<std::uint8_t>(~byte);
  std::string head = ranged ? "HTTP/1.1 206 Partial Content\r\n" : "HTTP/1.1 200 OK\r\n";
  std::uint64_t shift = fault == Fault::wrong_range ? 1 : 0;
  if (ranged)
    head += fmt::format("Content-Range: bytes {}-{}/{}\r\n", begin + shift, end - 1 + shift,
                        object.size() + shift);
  if (fault == Fault::encoded) head += "Content-Encoding: gzip\r\n";
  const bool endless = fault == Fault::endless || fault == Fault::trickle;
  head += endless ? "Connection: close\r\n\r\n"
                  : fmt::format("Content-Length: {}\r\n\r\n", body.size());
  if (!send_text(fd, head)) return false;
  ByteView view(body);
  if (fault == Fault::truncated || fault == Fault::silent) view = view.first(view.size() / 2);
  if (fault == Fault::trickle) view = view.first(1);
  if (!send_all(fd, view)) return false;
  while (endless && !closing_ && send_all(fd, view))
    if (fault == Fault::trickle) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (fault == Fault::silent) {
    char c = 0;
    ::recv(fd, &c, 1, 0);  // until the client gives up
  }
  return fault != Fault::truncated && fault != Fault::silent && !endless;
}

}  // namespace shoal::test
