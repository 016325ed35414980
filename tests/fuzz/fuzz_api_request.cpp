// Bodies of requests to the local API, as any local user may send them. What is understood must be
// the same when it is written and read again.
#include "fuzzer.hpp"
#include "protocol/codec.hpp"

namespace {

using namespace shoal;

template <typename Message>
void decode(std::string_view text) {
  auto message = protocol::decode<Message>(text, protocol::UnknownFields::refuse);
  if (!message) return;
  auto written = protocol::encode(*message);
  auto again = protocol::decode<Message>(written, protocol::UnknownFields::refuse);
  fuzz::require(again.has_value(), "what was written reads back");
  fuzz::require(protocol::encode(*again) == written, "and is the same");
}

}  // namespace

SHOAL_FUZZER(api_request) {
  auto text = as_text(bytes);
  decode<protocol::AddRepository>(text);
  decode<protocol::ChangeRequest>(text);
  decode<protocol::ConfigUpdate>(text);
  decode<protocol::Install>(text);
  decode<protocol::Change>(text);
  static_cast<void>(protocol::parse_utc(text));
}
