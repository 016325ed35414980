// Bodies of requests to the local API, as any local user may send them, and of its answers, as a
// program that took the daemon's place may give them. What is understood must be the same when it
// is written and read again.
#include "base/clock.hpp"
#include "fuzzer.hpp"
#include "protocol/codec.hpp"

namespace {

using namespace shoal;

template <typename Message>
void try_message(std::string_view text, protocol::UnknownFields unknown) {
  auto message = protocol::decode<Message>(text, unknown);
  if (!message) return;
  auto written = protocol::encode(*message);
  auto again = protocol::decode<Message>(written, protocol::UnknownFields::refuse);
  fuzz::require(again.has_value(), "what was written reads back");
  fuzz::require(protocol::encode(*again) == written, "and is the same");
}

}  // namespace

SHOAL_FUZZER(api_request) {
  auto text = as_text(bytes);
  using enum protocol::UnknownFields;
  try_message<protocol::AddRepository>(text, refuse);
  try_message<protocol::ChangeRequest>(text, refuse);
  try_message<protocol::ConfigUpdate>(text, refuse);
  try_message<protocol::Install>(text, ignore);
  try_message<protocol::Change>(text, ignore);
  try_message<protocol::Plan>(text, ignore);
  try_message<protocol::Products>(text, ignore);
  try_message<protocol::Status>(text, ignore);
  if (auto time = parse_utc(text))
    fuzz::require(format_utc(*time) == text, "a time is written as it was read");
}
