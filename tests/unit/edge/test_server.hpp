// An HTTP/1.1 server on loopback with faults to set: what a bad mirror can do to a client.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.hpp"

namespace shoal::test {

enum class Fault {
  none,
  wrong_bytes,      // every byte of the body inverted
  wrong_once,       // that, in the first answer that begins with the object
  bait,             // that, where the body begins with the object; 404 for the rest of it
  wrong_range,      // 206, but one byte further on
  ignores_range,    // 200 with the whole object
  truncated,        // closes half way through the body
  endless,          // a body without length and without end
  silent,           // half of the body, then nothing
  trickle,          // as endless, a byte at a time
  not_found,        // 404
  not_satisfiable,  // 416
  server_error,     // 503
  redirect_loop,    // 302 to itself
  encoded,          // says Content-Encoding: gzip
};

class TestServer {
 public:
  struct Request {
    std::string path;
    std::string headers;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;  // one past the last; 0: no range was asked for
  };

  TestServer();
  ~TestServer();

  std::string url() const;
  void put(const std::string& path, Bytes bytes);
  void set_fault(Fault fault) { fault_ = fault; }
  // From now on answers wait until open_gate().
  void close_gate();
  void open_gate();
  void stop_listening();   // and break every connection: refuses from now on
  void start_listening();  // on the same port

  std::vector<Request> requests() const;
  std::uint64_t connections() const { return connections_count_; }

 private:
  struct Connection {
    int fd = -1;
    std::thread thread;
  };
  void accept_loop(int listener);
  void serve(int fd);
  bool answer(int fd, const Request& request);
  bool answer_normally(int fd, const Request& request, const Bytes& object, Fault fault);
  void wait_at_gate();

  int port_ = 0;
  int listener_ = -1;
  std::thread acceptor_;
  std::atomic<Fault> fault_{Fault::none};
  std::atomic<bool> was_wrong_{false};
  std::atomic<bool> closing_{false};
  std::atomic<std::uint64_t> connections_count_{0};
  mutable std::mutex mutex_;
  std::condition_variable gate_;
  bool gate_closed_ = false;
  std::map<std::string, Bytes> objects_;
  std::vector<Request> requests_;
  std::list<Connection> connections_;
};

}  // namespace shoal::test
