// Bytes of a connection in, requests out. Pure: no socket, no clock. Private to the module.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "http/server.hpp"

namespace shoal::http {

class RequestParser {
 public:
  enum class Status {
    need_more,
    continue_expected,  // the client waits for "100 Continue" before it sends its body; told once
    complete,           // take() it
    refused,            // answer with take_refusal() and close
  };

  explicit RequestParser(const Limits& limits);
  ~RequestParser();

  void feed(ByteView bytes);
  Status advance();
  // Whether no byte of the next request has come yet.
  bool between_requests() const;
  // After `complete`; the parser goes on with the next request. `peer` is left empty.
  Request take();
  // Of the request that take() gave last, as the client wants it.
  bool keep_alive() const;
  Response take_refusal();  // after `refused`

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::http
