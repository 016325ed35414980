// One client's connection: request after request, each answered before the next is read. Private to
// the module. Loop thread only.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <unordered_set>

#include "base/clock.hpp"
#include "http/request_parser.hpp"
#include "http/server.hpp"
#include "http/socket.hpp"

namespace shoal::http {

class Connection;

// What all connections of a server share.
struct ServerContext {
  EventLoop& loop;
  Limits limits;
  Handler handler;
  std::unordered_set<Connection*> connections;  // each takes itself out when it closes
  std::function<void()> on_connection_closed;   // may be empty
  bool draining = false;                        // no further request on any connection
};

// Lives as long as an operation on its socket, a responder or a stream refers to it.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<ServerContext> context, std::shared_ptr<Socket> socket, Peer peer);
  ~Connection();

  void start();
  const Peer& peer() const { return peer_; }
  void close();
  // Closes now, unless a request is being read or answered: then after that.
  void drain();

  // Of the responder: the answer to the one request being handled.
  void answer(Response response);
  std::shared_ptr<Stream> answer_stream(const Response& head, std::function<void()> on_closed);

 private:
  class EventStream;
  enum class Phase { idle, reading, handling, answering, streaming, closed };

  void await_request();
  void read();
  void on_read(Socket::ReadEnd end, std::size_t count);
  void advance();
  void handle(Request request);
  void refuse(Response response);
  void send_answer(Response response, bool keep_alive);
  void after_answer(bool keep_alive);
  void discard_until_closed(std::size_t budget);

  std::shared_ptr<ServerContext> context_;
  std::shared_ptr<Socket> socket_;
  Peer peer_;
  RequestParser parser_;
  std::array<std::uint8_t, 16 << 10> read_buffer_;
  Phase phase_ = Phase::idle;
  bool head_only_ = false;  // of the request being handled
  SystemClock clock_;       // for Date
  std::weak_ptr<EventStream> stream_;
};

}  // namespace shoal::http
