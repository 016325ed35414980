// One thread: the event loop runs http::Server with serve_static as its only handler.
#include "publish/serve.hpp"

#include <fmt/core.h>
#include <signal.h>

#include <charconv>

#include "base/beneath_dir.hpp"
#include "base/event_loop.hpp"
#include "http/server.hpp"
#include "http/static_files.hpp"
#include "publish/layout.hpp"

namespace shoal::publish {

Result<ListenAddress> parse_listen_address(std::string_view text) {
  ListenAddress out;
  auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
    bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    bool port_good = !port.empty() && error == std::errc() && end == port.data() + port.size();
    if (port_good && (bracketed || host.find(':') == std::string_view::npos)) {
      out.address = host.empty() ? "0.0.0.0" : std::string(host);
      return out;
    }
  }
  return fail(ErrorKind::invalid_request,
              fmt::format("'{}' is not an address and a port, as in 127.0.0.1:8080", text));
}

std::string url_of(const ListenAddress& listen) {
  bool is_v6 = listen.address.find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}/", is_v6 ? "[" : "", listen.address, is_v6 ? "]" : "",
                     listen.port);
}

Result<void> serve(const std::filesystem::path& root, const ListenAddress& listen,
                   const std::function<void(const ListenAddress&)>& on_listening) {
  std::error_code ignored;
  if (!std::filesystem::exists(Layout(root).timestamp(), ignored))
    return fail(
        ErrorKind::not_found,
        fmt::format("{} is not a repository: it has no metadata/timestamp.json", root.native()),
        "Make one with 'shoal-publish init'.");
  SHOAL_ASSIGN(auto directory, BeneathDir::open(root));
  EventLoop loop;
  http::Server server(loop, http::Limits{},
                      [&](http::Request request, std::shared_ptr<http::Responder> responder) {
                        responder->send(http::serve_static(directory, request));
                      });
  SHOAL_ASSIGN(auto port, server.listen_tcp(listen.address, listen.port));
  loop.on_signal({SIGINT, SIGTERM}, [&](int) {
    server.stop();
    loop.stop();
  });
  on_listening({listen.address, port});
  loop.run();
  return {};
}

}  // namespace shoal::publish
