// The other end of the socket, without any of our client's code: sends bytes, gives back bytes.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "base/file.hpp"

namespace shoal::test {

struct RawAnswer {
  int status = 0;
  std::string head;
  std::string body;
};

class RawConnection {
 public:
  explicit RawConnection(const std::filesystem::path& socket)
      : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
    if (::connect(fd_.get(), reinterpret_cast<::sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("connect: " + std::string(std::strerror(errno)));
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // it stopped listening: its answer is what counts
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // Everything until the text has come or the other end closes; false on the latter.
  bool read_until(std::string_view text) {
    while (received_.find(text) == std::string::npos)
      if (!read_some()) return false;
    return true;
  }
  // False when the other end has closed (or nothing comes for ten seconds).
  bool read_some() {
    ::pollfd polled{fd_.get(), POLLIN, 0};
    if (::poll(&polled, 1, 10'000) <= 0) return false;
    char buffer[65536];
    auto got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    received_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }
  std::string take() { return std::exchange(received_, {}); }

 private:
  UniqueFd fd_;
  std::string received_;
};

inline RawAnswer send_raw(const std::filesystem::path& socket, const std::string& bytes) {
  RawConnection connection(socket);
  connection.send(bytes);
  while (connection.read_some()) {
  }
  std::string text = connection.take();
  RawAnswer answer;
  auto end = text.find("\r\n\r\n");
  if (end == std::string::npos || text.size() < 12) return answer;
  answer.head = text.substr(0, end);
  answer.body = text.substr(end + 4);
  answer.status = std::stoi(text.substr(9, 3));
  return answer;
}

inline RawAnswer request(const std::filesystem::path& socket, const std::string& method,
                         const std::string& path, const std::string& body = {}) {
  return send_raw(socket, method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" +
                              "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}

}  // namespace shoal::test
