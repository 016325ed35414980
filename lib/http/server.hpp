// A small HTTP/1.1 server: one thread (the event loop's), callbacks, limits on everything. It knows
// connections, not routes: one handler answers every request.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/event_loop.hpp"
#include "base/file.hpp"

namespace shoal::http {

struct Limits {
  std::size_t max_connections = 1024;              // beyond: accepted and closed at once
  std::size_t max_connections_per_user = 256;      // the same; of a Unix socket
  std::size_t max_header_bytes = 16 << 10;         // 431; 32 KiB at most
  std::size_t max_body_bytes = 1 << 20;            // 413
  std::uint32_t read_timeout_ms = 30'000;          // for a whole request (slow senders)
  std::uint32_t write_timeout_ms = 60'000;         // without progress (slow readers)
  std::uint32_t idle_timeout_ms = 60'000;          // keep-alive
  std::size_t max_stream_backlog_bytes = 1 << 20;  // an event stream that lags is closed
};

// Who is at the other end.
struct Peer {
  std::string address;  // "192.0.2.1" or "" for a Unix socket
  std::uint16_t port = 0;
  // Unix socket only: SO_PEERCRED, read at accept, before any byte of the request.
  std::optional<std::uint32_t> uid;
  std::vector<std::uint32_t> groups;  // the primary group and, where it can be told, the others
};

struct Request {
  std::string method;
  std::string path;                            // percent-decoded, always begins with '/'
  std::string raw_query;                       // after '?', as sent (BEP 3 needs the raw bytes)
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  Peer peer;

  // The first value of a query parameter, percent-decoded.
  std::optional<std::string> query(std::string_view name) const;
  std::string header(std::string_view lower_case_name) const;  // "" when absent
};

// A part of an open file as the body; sent from the page cache.
struct FileBody {
  UniqueFd fd;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::map<std::string, std::string> headers{};  // beside Content-Type, Content-Length, Date
  std::string body{};
  std::optional<FileBody> file{};  // instead of `body`
};

// An open-ended body (Server-Sent Events). Loop thread only.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void write(std::string bytes) = 0;  // queued; a reader that lags too far is closed
  virtual void close() = 0;
  virtual bool open() const = 0;
};

// Answers one request, at once or later; exactly one of the two. If the last reference goes without
// an answer, 500 is sent.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual void send(Response response) = 0;
  // Sends the head without a length; `on_closed` is called once when the reader has gone, lags too
  // far, or the server stops; not when the stream's owner closes or drops it. Never from within
  // write(). Empty if there was an answer before.
  virtual std::shared_ptr<Stream> stream(Response head, std::function<void()> on_closed) = 0;
};

// Called on the loop's thread. A responder may be kept and answered later, on the same thread, but
// must be gone before the loop is destroyed.
using Handler = std::function<void(Request request, std::shared_ptr<Responder> responder)>;

class Server {
 public:
  // Ignores SIGPIPE in the whole process: a reader that goes is an error code, not a death.
  Server(EventLoop& loop, Limits limits, Handler handler);
  ~Server();  // stops

  // Replaces a stale socket file (one nobody listens on). Errors: conflict when another server
  // listens there, not_allowed, io_error.
  Result<void> listen_unix(const std::string& path, unsigned mode);
  // Port 0: any. Returns the port. Errors: conflict (in use), not_allowed, invalid_request.
  Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port);
  void stop();  // closes listeners and connections
  // Graceful: closes listeners, idle connections and streams, lets requests under way be answered,
  // then calls back (from the loop). Limits bound the wait, except for the handler's own part.
  void drain(std::function<void()> on_drained);
  std::size_t connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared: handlers of asynchronous reads and writes hold it
};

// "%41" becomes "A"; malformed escapes and '+' stay as they are.
std::string percent_decode(std::string_view text);

}  // namespace shoal::http
