// A blocking client that sends exactly the bytes it is told, with a deadline on every read; and a
// server on a thread of its own to talk to.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "http/server.hpp"

namespace shoal::http::test {

class RawClient {
 public:
  static RawClient tcp(std::uint16_t port, const std::string& address = "127.0.0.1");
  static RawClient unix_socket(const std::string& path);

  void send(std::string_view bytes) const;  // ignores a peer that has gone
  // Until what was read so far contains the text, the peer closes, or the deadline passes.
  std::string read_until(std::string_view text);
  std::string read_to_end();
  // One response with Content-Length: its head and its body.
  std::string read_response(bool with_body = true);
  std::string exchange(std::string_view request, bool with_body = true) {
    send(request);
    return read_response(with_body);
  }
  void shrink_receive_buffer() const;
  void close() { fd_.reset(); }

 private:
  explicit RawClient(UniqueFd fd) : fd_(std::move(fd)) {}
  bool read_more();

  UniqueFd fd_;
  std::string buffer_;  // read, not yet returned
};

// Runs the loop on its own thread from start() to the end of the test.
class ServerThread {
 public:
  explicit ServerThread(Handler handler, Limits limits = {});
  ~ServerThread();

  EventLoop& loop() { return loop_; }
  Server& server() { return *server_; }
  std::uint16_t port() const { return port_; }
  void start();
  // Runs the task on the loop's thread and waits for it.
  void run(const std::function<void()>& task);
  // Asks on the loop's thread until the condition holds; false when a deadline passes.
  bool eventually(const std::function<bool()>& condition);

 private:
  EventLoop loop_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace shoal::http::test
