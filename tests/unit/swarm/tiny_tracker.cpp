// One thread, one request per connection.
#include "tiny_tracker.hpp"

#include <mutex>
#include <thread>

#include "base/asio.hpp"

namespace shoal::test {

namespace asio = boost::asio;
using asio::ip::tcp;

struct TinyTracker::Impl {
  asio::io_context context;
  tcp::acceptor acceptor;
  std::thread thread;
  mutable std::mutex mutex;
  std::vector<std::string> requests;
  std::string peers;
  bool silent = false;

  explicit Impl(const std::string& address)
      : acceptor(context, {asio::ip::make_address(address), 0}) {}

  struct Connection : std::enable_shared_from_this<Connection> {
    tcp::socket socket;
    std::string text;
    explicit Connection(tcp::socket accepted) : socket(std::move(accepted)) {}
  };

  void accept() {
    acceptor.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
      if (error) return;
      serve(std::make_shared<Connection>(std::move(socket)));
      accept();
    });
  }

  void serve(const std::shared_ptr<Connection>& connection) {
    asio::async_read_until(connection->socket, asio::dynamic_buffer(connection->text), "\r\n\r\n",
                           [this, connection](const boost::system::error_code& error, std::size_t) {
                             if (!error) answer(connection);
                           });
  }

  void answer(const std::shared_ptr<Connection>& connection) {
    std::string body;
    {
      std::lock_guard lock(mutex);
      const auto begin = connection->text.find(' ') + 1;
      requests.push_back(connection->text.substr(begin, connection->text.find(' ', begin) - begin));
      if (silent) {
        kept.push_back(connection);
        return;
      }
      body = "d8:intervali1800e5:peers" + std::to_string(peers.size()) + ":" + peers + "e";
    }
    connection->text =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    asio::async_write(connection->socket, asio::buffer(connection->text),
                      [connection](const boost::system::error_code&, std::size_t) {});
  }

  std::vector<std::shared_ptr<Connection>> kept;
};

TinyTracker::TinyTracker(const std::string& address) : impl_(std::make_shared<Impl>(address)) {
  impl_->accept();
  impl_->thread = std::thread([impl = impl_.get()] { impl->context.run(); });
}

TinyTracker::~TinyTracker() {
  impl_->context.stop();
  impl_->thread.join();
}

std::string TinyTracker::url() const {
  const auto endpoint = impl_->acceptor.local_endpoint();
  return "http://" + endpoint.address().to_string() + ":" + std::to_string(endpoint.port()) +
         "/announce";
}

void TinyTracker::set_peers(std::vector<std::string> addresses, std::uint16_t port) {
  std::lock_guard lock(impl_->mutex);
  impl_->peers.clear();
  for (const auto& address : addresses) {
    const auto bytes = asio::ip::make_address_v4(address).to_bytes();
    impl_->peers.append(bytes.begin(), bytes.end());
    impl_->peers += static_cast<char>(port >> 8);
    impl_->peers += static_cast<char>(port & 0xff);
  }
}

std::vector<std::string> TinyTracker::requests() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->requests;
}

bool TinyTracker::was_asked(const std::string& text) const {
  for (const auto& request : requests())
    if (request.find(text) != std::string::npos) return true;
  return false;
}

void TinyTracker::go_silent() {
  std::lock_guard lock(impl_->mutex);
  impl_->silent = true;
}

}  // namespace shoal::test
