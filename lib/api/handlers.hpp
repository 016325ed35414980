// What each route does: read the request into a message, ask the agent, answer with a message.
#pragma once

#include <string>

#include "agent/service.hpp"
#include "api/event_hub.hpp"
#include "api/reply.hpp"
#include "http/server.hpp"

namespace shoal::api {

// One request on its way through a handler.
struct Call {
  const http::Request& request;
  std::string id;  // of the resource in the path
  bool may_act;
  Reply reply;
};

// Loop thread only. Borrows everything.
class Handlers {
 public:
  Handlers(agent::Service& service, EventHub& hub, UserLimit& streams)
      : service_(service), hub_(hub), streams_(streams) {}

  void get_openapi(Call& call);
  void get_system(Call& call);
  void get_config(Call& call);
  void patch_config(Call& call);
  void get_repositories(Call& call);
  void post_repository(Call& call);
  void delete_repository(Call& call);
  void get_products(Call& call);
  void get_installs(Call& call);
  void get_install(Call& call);
  void post_plan(Call& call);
  void get_changes(Call& call);
  void post_change(Call& call);
  void get_change(Call& call);
  void pause_change(Call& call);
  void resume_change(Call& call);
  void cancel_change(Call& call);
  void get_events(Call& call);

 private:
  agent::Service& service_;
  EventHub& hub_;
  UserLimit& streams_;
};

// A resource as its events show it; empty when it is gone.
std::optional<Rendered> render_resource(const agent::Service& service, const std::string& resource,
                                        const std::string& id);

}  // namespace shoal::api
