// The answer to one request, in the API's terms: JSON or an error of the one shape.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "api/user_limit.hpp"
#include "base/error.hpp"
#include "http/server.hpp"
#include "protocol/codec.hpp"

namespace shoal::api {

// A handle that callbacks copy; the first answer counts. Dropped without one, the peer gets a 500.
class Reply {
 public:
  Reply(std::shared_ptr<http::Responder> responder, UserLimit::Slot slot);

  void json(int status, std::string body) const;
  void text(int status, std::string content_type, std::string body) const;
  void empty(int status) const;
  // The status is the error kind's, unless another is given.
  void error(const Error& error, int status = 0,
             std::map<std::string, std::string> headers = {}) const;
  // Answers with the message, or with the error.
  template <typename Message>
  void result(int status, const Result<Message>& result) const {
    if (!result) return error(result.error());
    json(status, protocol::encode(*result));
  }
  // Turns the answer into an event stream and gives the request's slot back. Null when the request
  // was answered already.
  std::shared_ptr<http::Stream> stream(std::function<void()> on_closed) const;

 private:
  struct State {
    std::shared_ptr<http::Responder> responder;
    UserLimit::Slot slot;
  };
  void send(http::Response response) const;

  std::shared_ptr<State> state_;  // shared by the copies that callbacks hold
};

}  // namespace shoal::api
