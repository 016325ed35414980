// The life of a connection: wait for a request, read it (one deadline for all of it), hand it to
// the handler, send the answer, and again. Nothing is read while a request is being handled, so a
// client that pipelines waits in the kernel's buffer. Before a connection is closed on a client
// that may still be sending, its bytes are discarded for a while: closing with unread bytes would
// reset the connection and could take the answer with it (RFC 9112 9.6).
#include "http/connection.hpp"

#include "http/message.hpp"

namespace shoal::http {
namespace {

constexpr std::uint32_t kLingerMs = 2000;        // discarding before a close
constexpr std::size_t kLingerBytes = 256 << 10;  // and how much of it

class ConnectionResponder final : public Responder {
 public:
  explicit ConnectionResponder(std::shared_ptr<Connection> connection)
      : connection_(std::move(connection)) {}
  ~ConnectionResponder() override {
    if (connection_)
      send(error_response(500, ErrorKind::internal, "the request was dropped without an answer"));
  }

  void send(Response response) override {
    if (auto connection = std::exchange(connection_, nullptr))
      connection->answer(std::move(response));
  }
  std::shared_ptr<Stream> stream(Response head, std::function<void()> on_closed) override {
    auto connection = std::exchange(connection_, nullptr);
    if (!connection) return nullptr;
    return connection->answer_stream(head, std::move(on_closed));
  }

 private:
  std::shared_ptr<Connection> connection_;  // empty once answered
};

}  // namespace

// Bytes wait in `pending_` while a write is under way. A read stays outstanding all the time: it
// ends when the client goes.
class Connection::EventStream final : public Stream,
                                      public std::enable_shared_from_this<EventStream> {
 public:
  EventStream(std::shared_ptr<Connection> connection, std::function<void()> on_closed)
      : connection_(std::move(connection)), on_closed_(std::move(on_closed)) {}
  ~EventStream() override { EventStream::close(); }

  void start(std::string head) {
    watch_reader();
    write(std::move(head));
  }

  void write(std::string bytes) override {
    if (!connection_ || bytes.empty()) return;
    if (pending_.size() + in_flight_ + bytes.size() >
        connection_->context_->limits.max_stream_backlog_bytes)
      return end_later();
    pending_ += bytes;
    flush();
  }

  void close() override {
    on_closed_ = nullptr;  // the owner knows
    end();
  }

  // The reader has gone, or the server stops.
  void end() {
    auto connection = std::exchange(connection_, nullptr);
    if (!connection) return;
    auto on_closed = std::exchange(on_closed_, nullptr);
    connection->close();
    if (on_closed) on_closed();
  }

  bool open() const override { return connection_ != nullptr && !ending_; }

 private:
  // `on_closed` must not run inside the owner's own call of write().
  void end_later() {
    if (std::exchange(ending_, true)) return;
    connection_->context_->loop.post([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->end();
    });
  }

  void flush() {
    if (in_flight_ != 0 || pending_.empty() || ending_) return;
    in_flight_ = pending_.size();
    connection_->socket_->write(std::exchange(pending_, {}), std::nullopt,
                                connection_->context_->limits.write_timeout_ms,
                                [weak = weak_from_this(), hold = connection_](bool all_sent) {
                                  auto self = weak.lock();
                                  if (!self || !self->connection_) return;
                                  self->in_flight_ = 0;
                                  if (!all_sent) return self->end();
                                  self->flush();
                                });
  }

  void watch_reader() {
    connection_->socket_->read(
        connection_->read_buffer_,
        [weak = weak_from_this(), hold = connection_](Socket::ReadEnd end, std::size_t) {
          auto self = weak.lock();
          if (!self || !self->connection_) return;
          if (end != Socket::ReadEnd::bytes) return self->end();
          self->watch_reader();  // whatever it says, nobody listens any more
        });
  }

  std::shared_ptr<Connection> connection_;  // empty once closed
  std::function<void()> on_closed_;
  std::string pending_;
  std::size_t in_flight_ = 0;
  bool ending_ = false;
};

Connection::Connection(std::shared_ptr<ServerContext> context, std::shared_ptr<Socket> socket,
                       Peer peer)
    : context_(std::move(context)),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      parser_(context_->limits) {
  context_->connections.insert(this);
}

Connection::~Connection() { close(); }

void Connection::start() { await_request(); }

void Connection::close() {
  if (std::exchange(phase_, Phase::closed) == Phase::closed) return;
  context_->connections.erase(this);
  socket_->close();
  if (auto stream = stream_.lock()) stream->end();
  if (context_->on_connection_closed) context_->on_connection_closed();
}

void Connection::drain() {
  auto stay = phase_ == Phase::reading || phase_ == Phase::handling || phase_ == Phase::answering;
  if (!stay) close();
}

void Connection::await_request() {
  if (context_->draining && parser_.between_requests()) return close();
  phase_ = Phase::idle;
  if (!parser_.between_requests()) {
    phase_ = Phase::reading;
    socket_->limit_reads(context_->limits.read_timeout_ms);
    return advance();
  }
  socket_->limit_reads(context_->limits.idle_timeout_ms);
  read();
}

void Connection::read() {
  socket_->read(read_buffer_, [self = shared_from_this()](Socket::ReadEnd end, std::size_t count) {
    self->on_read(end, count);
  });
}

void Connection::on_read(Socket::ReadEnd end, std::size_t count) {
  if (phase_ == Phase::closed) return;
  if (end == Socket::ReadEnd::timed_out && phase_ == Phase::reading)
    return refuse(
        error_response(408, ErrorKind::network_timeout, "the request did not arrive in time"));
  if (end != Socket::ReadEnd::bytes) return close();
  if (phase_ == Phase::idle) {
    phase_ = Phase::reading;
    socket_->limit_reads(context_->limits.read_timeout_ms);
  }
  parser_.feed(ByteView(read_buffer_).first(count));
  advance();
}

void Connection::advance() {
  switch (parser_.advance()) {
    case RequestParser::Status::need_more:
      return read();
    case RequestParser::Status::continue_expected:
      return socket_->write("HTTP/1.1 100 Continue\r\n\r\n", std::nullopt,
                            context_->limits.write_timeout_ms,
                            [self = shared_from_this()](bool all_sent) {
                              if (!all_sent || self->phase_ == Phase::closed) return self->close();
                              self->advance();
                            });
    case RequestParser::Status::complete:
      return handle(parser_.take());
    case RequestParser::Status::refused:
      return refuse(parser_.take_refusal());
  }
}

void Connection::handle(Request request) {
  socket_->limit_reads(0);
  phase_ = Phase::handling;
  head_only_ = request.method == "HEAD";
  request.peer = peer_;
  context_->handler(std::move(request), std::make_shared<ConnectionResponder>(shared_from_this()));
}

void Connection::refuse(Response response) {
  head_only_ = false;
  send_answer(std::move(response), false);
}

void Connection::answer(Response response) {
  if (phase_ != Phase::handling) return;  // closed meanwhile
  send_answer(std::move(response), parser_.keep_alive() && !context_->draining);
}

void Connection::send_answer(Response response, bool keep_alive) {
  phase_ = Phase::answering;
  auto length = response.file ? response.file->length : response.body.size();
  auto text = format_head(response, length, keep_alive, clock_.now());
  bool with_body = !head_only_ && status_has_body(response.status);
  if (with_body && !response.file) text += response.body;
  if (!with_body) response.file.reset();
  socket_->write(std::move(text), std::move(response.file), context_->limits.write_timeout_ms,
                 [self = shared_from_this(), keep_alive](bool all_sent) {
                   if (self->phase_ == Phase::closed) return;
                   if (!all_sent) return self->close();
                   self->after_answer(keep_alive);
                 });
}

void Connection::after_answer(bool keep_alive) {
  if (keep_alive && !(context_->draining && parser_.between_requests())) return await_request();
  socket_->shutdown_send();
  socket_->limit_reads(kLingerMs);
  discard_until_closed(kLingerBytes);
}

void Connection::discard_until_closed(std::size_t budget) {
  socket_->read(read_buffer_,
                [self = shared_from_this(), budget](Socket::ReadEnd end, std::size_t count) {
                  if (end != Socket::ReadEnd::bytes || count >= budget) return self->close();
                  self->discard_until_closed(budget - count);
                });
}

std::shared_ptr<Stream> Connection::answer_stream(const Response& head,
                                                  std::function<void()> on_closed) {
  auto stream = std::make_shared<EventStream>(shared_from_this(), std::move(on_closed));
  if (phase_ != Phase::handling) {
    context_->loop.post([stream] { stream->end(); });
    return stream;
  }
  phase_ = Phase::streaming;
  stream_ = stream;
  stream->start(format_head(head, std::nullopt, false, clock_.now()));
  return stream;
}

}  // namespace shoal::http
