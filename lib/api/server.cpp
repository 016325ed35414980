// From a request to its handler: who asks, which route, may they, is there room; then the handler.
// Nothing of the request but method, path, query, Last-Event-ID and body is looked at: no Host, no
// Origin, no credentials in headers.
#include "api/server.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <random>

#include "api/handlers.hpp"
#include "api/permissions.hpp"
#include "api/reply.hpp"
#include "api/routes.hpp"
#include "api/user_limit.hpp"

namespace shoal::api {
namespace {

// Tells the event ids of this run from those of one before it.
std::string random_run_name() {
  std::random_device device;
  return fmt::format("{:08x}", device());
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += text.empty() ? word : ", " + word;
  return text;
}

}  // namespace

struct ApiServer::Impl {
  Impl(EventLoop& the_loop, agent::Service& agent, Log& the_log, ApiOptions the_options)
      : options(std::move(the_options)),
        loop(the_loop),
        service(agent),
        log(the_log),
        permissions(Permissions::of_this_process(options.allowed_group)),
        requests(options.max_requests_per_user),
        streams(options.max_streams_per_user),
        hub(the_loop, the_loop, options.events, random_run_name(),
            [this](const std::string& resource, const std::string& id) {
              return render_resource(service, resource, id);
            }),
        handlers(service, hub, streams),
        server(the_loop, options.http,
               [this](http::Request request, std::shared_ptr<http::Responder> responder) {
                 handle(request, std::move(responder));
               }) {
    service.set_listener(
        [this](const agent::Event& event) { hub.happened(event.resource, event.id); });
  }
  ~Impl() { service.set_listener(nullptr); }

  bool may_act(const http::Peer& peer) const {
    return options.may_act ? options.may_act(peer) : permissions.may(peer, Permission::act);
  }

  void handle(const http::Request& request, std::shared_ptr<http::Responder> responder) {
    auto slot = request.peer.uid ? requests.take(*request.peer.uid) : nullptr;
    Reply reply(std::move(responder), slot);
    if (!request.peer.uid)
      return reply.error(
          Error{ErrorKind::not_allowed, "the peer's user could not be determined", ""});
    if (!slot)
      return reply.error(Error{ErrorKind::busy, "too many requests of one user at once", ""});
    auto match = find_route(request.method, request.path);
    if (match.allowed.empty())
      return reply.error(Error{ErrorKind::not_found, "there is no " + request.path,
                               "See openapi.yaml for the routes; all begin with /v1/."});
    if (match.route == nullptr)
      return reply.error(
          Error{ErrorKind::invalid_request, request.path + " does not take " + request.method,
                "Use " + joined(match.allowed) + "."},
          405, {{"Allow", joined(match.allowed)}});
    bool acts = may_act(request.peer);
    if (match.route->permission == Permission::act && !acts) {
      log.info("api", "refused {} {} to uid {}", request.method, match.route->pattern,
               *request.peer.uid);
      return reply.error(
          Error{ErrorKind::not_allowed,
                fmt::format("user {} may read but not change anything here", *request.peer.uid),
                "Ask an administrator, or run as root or as a member of the group 'shoal'."});
    }
    Call call{request, std::move(match.id), acts, reply};
    (handlers.*match.route->handler)(call);
  }

  ApiOptions options;
  EventLoop& loop;
  agent::Service& service;
  Log& log;
  Permissions permissions;
  UserLimit requests;
  UserLimit streams;
  EventHub hub;
  Handlers handlers;
  http::Server server;
};

ApiServer::ApiServer(EventLoop& loop, agent::Service& service, Log& log, ApiOptions options)
    : impl_(std::make_unique<Impl>(loop, service, log, std::move(options))) {}
ApiServer::~ApiServer() = default;

Result<void> ApiServer::listen() {
  const auto& options = impl_->options;
  const std::string path = options.socket.string();
  SHOAL_TRY(impl_->server.listen_unix(path, options.socket_mode));
  if (!options.socket_group.empty()) {
    auto group = find_group(options.socket_group);
    if (!group)
      return fail(ErrorKind::not_found, "there is no group '" + options.socket_group + "'",
                  "Create it, or leave the socket's group out of the configuration.");
    if (::chown(path.c_str(), static_cast<::uid_t>(-1), *group) != 0)
      return fail(system_error(errno, "setting the group of", path));
  }
  impl_->log.debug("api", "listening on {}", path);
  return {};
}

void ApiServer::stop() { impl_->server.stop(); }

void ApiServer::drain(std::function<void()> on_stopped) {
  // Drained or out of time, whichever comes first; the other finds nothing left to do.
  auto once = std::make_shared<std::function<void()>>(std::move(on_stopped));
  auto finish = [this, once] {
    auto done = std::exchange(*once, nullptr);
    if (!done) return;
    impl_->server.stop();
    done();
  };
  auto limit = impl_->loop.after(kDrainLimit, finish);
  impl_->server.drain([this, limit, finish] {
    impl_->loop.cancel(limit);
    finish();
  });
}

}  // namespace shoal::api
