// One connected stream socket, TCP or Unix, with the timeouts that slow and silent peers need.
// Private to the module; it keeps Asio out of the connection's code. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/event_loop.hpp"
#include "http/server.hpp"

namespace shoal::http {

// Callbacks come later, never from within the call that starts them, and exactly once.
class Socket {
 public:
  enum class ReadEnd { bytes, closed, timed_out };
  using ReadDone = std::function<void(ReadEnd end, std::size_t count)>;
  using WriteDone = std::function<void(bool all_sent)>;

  virtual ~Socket() = default;
  // Reads that are not done within that time from now end as timed_out. 0: no limit.
  virtual void limit_reads(std::uint32_t timeout_ms) = 0;
  // At least one byte. One read at a time; `into` must live until the callback.
  virtual void read(MutableByteView into, ReadDone done) = 0;
  // All of it, then of the file. Fails when the peer takes nothing for `stall_ms`, or the file is
  // shorter than it was. One write at a time.
  virtual void write(std::string bytes, std::optional<FileBody> file, std::uint32_t stall_ms,
                     WriteDone done) = 0;
  virtual void shutdown_send() = 0;
  virtual void close() = 0;  // what is pending fails
};

// Shared: asynchronous operations hold it.
std::shared_ptr<Socket> make_socket(EventLoop& loop, UniqueFd connected, int family);

}  // namespace shoal::http
