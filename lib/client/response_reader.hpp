// Puts an HTTP response together from its bytes: with a length, chunked, or ended by the
// connection's end. Private to this module; Beast's parser behind it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace shoal::client {

class ResponseReader {
 public:
  explicit ResponseReader(std::optional<std::uint64_t> max_body_bytes);  // none: endless, a stream
  ~ResponseReader();
  ResponseReader(ResponseReader&&) noexcept;
  ResponseReader& operator=(ResponseReader&&) noexcept;

  // Errors: internal when it is not HTTP, or too much.
  Result<void> feed(std::string_view bytes);
  // The connection has ended. Errors: daemon_unreachable when the response is not whole.
  Result<void> end();

  bool head_complete() const;
  bool complete() const;
  int status() const;
  std::string take_body();  // what has come since the last call

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::client
