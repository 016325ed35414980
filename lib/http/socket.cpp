// Asio's generic stream socket with a timer for each direction. Files leave through sendfile, at
// most kSendAtOnce between two turns of the loop, so that one fast reader does not starve others.
// (A file that is not in the page cache blocks the loop for one read; the kernel reads ahead.)
#include "http/socket.hpp"

#include <sys/sendfile.h>

#include <algorithm>
#include <cerrno>

#include "base/asio.hpp"

namespace shoal::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kSendAtOnce = 1 << 20;

class AsioSocket final : public Socket, public std::enable_shared_from_this<AsioSocket> {
 public:
  AsioSocket(asio::io_context& context, int family, UniqueFd fd)
      : socket_(context), read_timer_(context), write_timer_(context) {
    socket_.assign(asio::generic::stream_protocol(family, 0), fd.release());
    socket_.native_non_blocking(true);
  }

  void limit_reads(std::uint32_t timeout_ms) override {
    read_timed_out_ = false;
    if (timeout_ms == 0) {
      read_timer_.cancel();
      return;
    }
    read_timer_.expires_after(std::chrono::milliseconds(timeout_ms));
    read_timer_.async_wait([weak = weak_from_this()](error_code error) {
      auto self = weak.lock();
      // An expiry that was moved meanwhile is no expiry, even if its wait was already queued.
      if (error || !self || self->read_timer_.expiry() > asio::steady_timer::clock_type::now())
        return;
      self->read_timed_out_ = true;
      error_code ignored;
      self->socket_.cancel(ignored);
    });
  }

  void read(MutableByteView into, ReadDone done) override {
    if (read_timed_out_) {  // between two reads
      asio::post(socket_.get_executor(), [done = std::move(done)] { done(ReadEnd::timed_out, 0); });
      return;
    }
    socket_.async_read_some(
        asio::buffer(into.data(), into.size()),
        [self = shared_from_this(), done = std::move(done)](error_code error, std::size_t count) {
          if (!error) return done(ReadEnd::bytes, count);
          done(self->read_timed_out_ ? ReadEnd::timed_out : ReadEnd::closed, 0);
        });
  }

  void write(std::string bytes, std::optional<FileBody> file, std::uint32_t stall_ms,
             WriteDone done) override {
    auto job =
        std::make_unique<Write>(std::move(bytes), 0, std::move(file), stall_ms, std::move(done));
    expect_progress(*job);
    write_text(std::move(job));
  }

  void shutdown_send() override {
    error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  }

  void close() override {
    read_timer_.cancel();
    write_timer_.cancel();
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  // Travels from handler to handler, so that it ends with them, even in a loop that is destroyed.
  struct Write {
    std::string text;
    std::size_t text_sent = 0;
    std::optional<FileBody> file;
    std::uint32_t stall_ms = 0;
    WriteDone done;
  };
  using WriteJob = std::unique_ptr<Write>;

  void expect_progress(const Write& job) {
    write_timer_.expires_after(std::chrono::milliseconds(job.stall_ms));
    write_timer_.async_wait([weak = weak_from_this()](error_code error) {
      auto self = weak.lock();
      if (error || !self || self->write_timer_.expiry() > asio::steady_timer::clock_type::now())
        return;
      self->close();
    });
  }

  void write_text(WriteJob job) {
    auto rest = asio::buffer(job->text.data() + job->text_sent, job->text.size() - job->text_sent);
    socket_.async_write_some(rest, [self = shared_from_this(), job = std::move(job)](
                                       error_code error, std::size_t count) mutable {
      if (error) return self->end_write(std::move(job), false);
      job->text_sent += count;
      self->expect_progress(*job);
      if (job->text_sent < job->text.size()) return self->write_text(std::move(job));
      if (job->file && job->file->length != 0) return self->wait_to_send_file(std::move(job));
      self->end_write(std::move(job), true);
    });
  }

  void wait_to_send_file(WriteJob job) {
    socket_.async_wait(asio::socket_base::wait_write,
                       [self = shared_from_this(), job = std::move(job)](error_code error) mutable {
                         if (error) return self->end_write(std::move(job), false);
                         self->send_file_part(std::move(job));
                       });
  }

  void send_file_part(WriteJob job) {
    auto& file = *job->file;
    auto offset = static_cast<off_t>(file.offset);
    auto count = ::sendfile(socket_.native_handle(), file.fd.get(), &offset,
                            std::min<std::uint64_t>(file.length, kSendAtOnce));
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return wait_to_send_file(std::move(job));
    // A broken connection, or the file was cut meanwhile: the length that was promised is not
    // there.
    if (count <= 0) return end_write(std::move(job), false);
    file.offset += static_cast<std::uint64_t>(count);
    file.length -= static_cast<std::uint64_t>(count);
    expect_progress(*job);
    if (file.length == 0) return end_write(std::move(job), true);
    wait_to_send_file(std::move(job));
  }

  void end_write(WriteJob job, bool all_sent) {
    write_timer_.cancel();
    job->done(all_sent);
  }

  asio::generic::stream_protocol::socket socket_;
  asio::steady_timer read_timer_;
  asio::steady_timer write_timer_;
  bool read_timed_out_ = false;
};

}  // namespace

std::shared_ptr<Socket> make_socket(EventLoop& loop, UniqueFd connected, int family) {
  return std::make_shared<AsioSocket>(loop.context(), family, std::move(connected));
}

}  // namespace shoal::http
