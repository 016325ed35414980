// A handler per route. What takes time in the agent answers later, through the copied reply.
#include "api/handlers.hpp"

#include <algorithm>
#include <charconv>

#include "api/convert.hpp"
#include "protocol/codec.hpp"
#include "protocol/events.hpp"
#include "protocol/openapi.hpp"

namespace shoal::api {
namespace {

constexpr std::size_t kDefaultChanges = 100;  // in one answer
constexpr std::size_t kMaxChanges = 1000;

// 200 for an answer, 202 for work that goes on, 201 and 204 as HTTP has them.
constexpr int kOk = 200, kCreated = 201, kAccepted = 202, kNoContent = 204;

template <typename Message>
Result<Message> body_of(const Call& call) {
  return protocol::decode<Message>(call.request.body, protocol::UnknownFields::refuse);
}

// A whole decimal number of that type; empty for anything else.
template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<agent::ChangeRequest> change_request_of(const Call& call) {
  SHOAL_ASSIGN(auto request, body_of<protocol::ChangeRequest>(call));
  return to_agent(request);
}

void answer_change(const Call& call, int status, const Result<agent::Change>& change) {
  if (!change) return call.reply.error(change.error());
  call.reply.json(status, protocol::encode(to_protocol(*change, kNotesInAnswer)));
}

std::optional<agent::InstallView> find_install(const agent::Service& service,
                                               const std::string& id) {
  auto number = parse_number<std::int64_t>(id);
  for (auto& install : service.installs())
    if (number && install.id == *number) return std::move(install);
  return std::nullopt;
}

}  // namespace

void Handlers::get_openapi(Call& call) {
  call.reply.text(kOk, "application/yaml", std::string(protocol::openapi_yaml()));
}

void Handlers::get_system(Call& call) {
  call.reply.json(kOk, protocol::encode(to_protocol(service_.system(), call.may_act)));
}

void Handlers::get_config(Call& call) {
  call.reply.json(kOk, protocol::encode(to_config(service_.system())));
}

void Handlers::patch_config(Call& call) {
  auto update = body_of<protocol::ConfigUpdate>(call);
  if (!update) return call.reply.error(update.error());
  if (auto done = service_.configure(to_agent(*update)); !done)
    return call.reply.error(done.error());
  get_config(call);
}

void Handlers::get_repositories(Call& call) {
  protocol::Repositories answer;
  for (const auto& view : service_.repositories()) answer.repositories.push_back(to_protocol(view));
  call.reply.json(kOk, protocol::encode(answer));
}

void Handlers::post_repository(Call& call) {
  auto request = body_of<protocol::AddRepository>(call);
  if (!request) return call.reply.error(request.error());
  if (auto good = check(*request); !good) return call.reply.error(good.error());
  service_.add_repository(request->url, request->root_json,
                          [reply = call.reply](const Result<agent::RepositoryView>& added) {
                            if (!added) return reply.error(added.error());
                            reply.json(kCreated, protocol::encode(to_protocol(*added)));
                          });
}

void Handlers::delete_repository(Call& call) {
  auto id = parse_number<std::int64_t>(call.id);
  auto removed = id ? service_.remove_repository(*id)
                    : fail(ErrorKind::not_found, "there is no repository '" + call.id + "'",
                           "'shoal repo list' shows the repositories and their ids.");
  if (!removed) return call.reply.error(removed.error());
  call.reply.empty(kNoContent);
}

void Handlers::get_products(Call& call) {
  service_.products([reply = call.reply](const Result<std::vector<agent::ProductView>>& products) {
    if (!products) return reply.error(products.error());
    protocol::Products answer;
    for (const auto& view : *products) answer.products.push_back(to_protocol(view));
    reply.json(kOk, protocol::encode(answer));
  });
}

void Handlers::get_installs(Call& call) {
  protocol::Installs answer;
  for (const auto& view : service_.installs()) answer.installs.push_back(to_protocol(view));
  call.reply.json(kOk, protocol::encode(answer));
}

void Handlers::get_install(Call& call) {
  auto install = find_install(service_, call.id);
  if (!install)
    return call.reply.error(
        Error{ErrorKind::not_found, "there is no install '" + call.id + "'", ""});
  call.reply.json(kOk, protocol::encode(to_protocol(*install)));
}

void Handlers::post_plan(Call& call) {
  auto request = change_request_of(call);
  if (!request) return call.reply.error(request.error());
  service_.plan(*request, [reply = call.reply](const Result<agent::PlanView>& plan) {
    if (!plan) return reply.error(plan.error());
    reply.json(kOk, protocol::encode(to_protocol(*plan)));
  });
}

void Handlers::get_changes(Call& call) {
  std::size_t limit = kDefaultChanges;
  if (auto text = call.request.query("limit")) {
    auto number = parse_number<std::size_t>(*text);
    if (!number || *number == 0 || *number > kMaxChanges)
      return call.reply.error(
          Error{ErrorKind::invalid_request,
                "limit must be a number from 1 to " + std::to_string(kMaxChanges), ""});
    limit = *number;
  }
  protocol::Changes answer;
  for (const auto& change : service_.changes()) {
    if (answer.changes.size() == limit) break;
    answer.changes.push_back(to_protocol(change, kNotesInEvents));
  }
  call.reply.json(kOk, protocol::encode(answer));
}

void Handlers::post_change(Call& call) {
  auto request = change_request_of(call);
  if (!request) return call.reply.error(request.error());
  answer_change(call, kAccepted, service_.start(*request));
}

void Handlers::get_change(Call& call) { answer_change(call, kOk, service_.change(call.id)); }

void Handlers::pause_change(Call& call) { answer_change(call, kAccepted, service_.pause(call.id)); }

void Handlers::resume_change(Call& call) {
  answer_change(call, kAccepted, service_.resume(call.id));
}

void Handlers::cancel_change(Call& call) {
  answer_change(call, kAccepted, service_.cancel(call.id));
}

void Handlers::get_events(Call& call) {
  auto slot = streams_.take(call.request.peer.uid.value_or(0));
  if (!slot)
    return call.reply.error(Error{ErrorKind::busy, "too many event streams of one user",
                                  "Close one of the streams, or share it."});
  hub_.subscribe(
      [&call](std::function<void()> on_closed) { return call.reply.stream(std::move(on_closed)); },
      call.request.header("last-event-id"), std::move(slot));
}

std::optional<Rendered> render_resource(const agent::Service& service, const std::string& resource,
                                        const std::string& id) {
  if (resource == protocol::kEventChange) {
    auto change = service.change(id);
    if (!change) return std::nullopt;
    return Rendered{resource, protocol::encode(to_protocol(*change, kNotesInEvents)),
                    std::string(agent::name_of(change->state))};
  }
  if (resource == protocol::kEventInstall) {
    auto install = find_install(service, id);
    if (!install) return std::nullopt;
    return Rendered{resource, protocol::encode(to_protocol(*install)), ""};
  }
  if (resource == protocol::kEventRepository) {
    for (const auto& view : service.repositories())
      if (std::to_string(view.id) == id)
        return Rendered{resource, protocol::encode(to_protocol(view)), ""};
    return std::nullopt;
  }
  return Rendered{std::string(protocol::kEventConfig),
                  protocol::encode(to_config(service.system())), ""};
}

}  // namespace shoal::api
