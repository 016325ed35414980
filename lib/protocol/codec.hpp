// Messages to JSON and back. Decoding is strict about types and ranges: what it returns obeys
// messages.hpp. Errors are also a message: {kind, message, remedy, retryable}.
#pragma once

#include <string>
#include <string_view>

#include "protocol/messages.hpp"

namespace shoal::protocol {

// Deeper nesting than any message has is refused before it is parsed.
inline constexpr std::size_t kMaxJsonDepth = 16;

enum class UnknownFields {
  ignore,  // a client reading a newer daemon's answer
  refuse,  // a daemon reading a request: a field it does not know is a mistake to tell about
};

// One line of JSON. Bytes that are not UTF-8 become U+FFFD; counts beyond 2^63-1 become that.
// For Error and every struct of messages.hpp that travels on its own (see codec.cpp).
template <typename Message>
std::string encode(const Message& message);

// Errors: invalid_request, naming the field, what was expected and what was found.
template <typename Message>
Result<Message> decode(std::string_view json, UnknownFields unknown);

}  // namespace shoal::protocol
