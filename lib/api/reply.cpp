// Every answer is marked as not to be stored: it is a state that changes.
#include "api/reply.hpp"

#include <utility>

namespace shoal::api {

Reply::Reply(std::shared_ptr<http::Responder> responder, UserLimit::Slot slot)
    : state_(std::make_shared<State>(State{std::move(responder), std::move(slot)})) {}

void Reply::json(int status, std::string body) const {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  response.body += '\n';
  send(std::move(response));
}

void Reply::text(int status, std::string content_type, std::string body) const {
  http::Response response;
  response.status = status;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  send(std::move(response));
}

void Reply::empty(int status) const {
  http::Response response;
  response.status = status;
  response.content_type.clear();
  send(std::move(response));
}

void Reply::error(const Error& error, int status,
                  std::map<std::string, std::string> headers) const {
  http::Response response;
  response.status = status == 0 ? info(error.kind).http_status : status;
  response.headers = std::move(headers);
  response.body = protocol::encode(error) + "\n";
  send(std::move(response));
}

std::shared_ptr<http::Stream> Reply::stream(std::function<void()> on_closed) const {
  auto responder = std::exchange(state_->responder, nullptr);
  if (!responder) return nullptr;
  state_->slot.reset();
  http::Response head;
  head.content_type = "text/event-stream";
  head.headers["Cache-Control"] = "no-store";
  return responder->stream(std::move(head), std::move(on_closed));
}

void Reply::send(http::Response response) const {
  auto responder = std::exchange(state_->responder, nullptr);
  if (!responder) return;
  state_->slot.reset();
  response.headers["Cache-Control"] = "no-store";
  responder->send(std::move(response));
}

}  // namespace shoal::api
