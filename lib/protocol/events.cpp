// An event is a few "field: value" lines and an empty one; a line that begins with ':' is a
// comment. Only LF and CRLF end lines here: our own server writes LF.
#include "protocol/events.hpp"

namespace shoal::protocol {

std::string to_wire(const Event& event) {
  std::string text;
  text.reserve(event.id.size() + event.name.size() + event.data.size() + 24);
  text += "id: ";
  text += event.id;
  text += "\nevent: ";
  text += event.name;
  text += "\ndata: ";
  text += event.data;
  text += "\n\n";
  return text;
}

std::string keep_alive_comment() { return ": keep-alive\n\n"; }

Result<void> EventParser::feed(std::string_view bytes, std::vector<Event>& events) {
  while (!bytes.empty()) {
    std::size_t end = bytes.find('\n');
    std::string_view part = bytes.substr(0, end);
    if (buffer_.size() + current_.data.size() + part.size() > kMaxEventBytes)
      return fail(ErrorKind::too_large, "an event of the event stream is larger than " +
                                            std::to_string(kMaxEventBytes) + " bytes");
    buffer_ += part;
    if (end == std::string_view::npos) return {};
    bytes.remove_prefix(end + 1);
    if (!buffer_.empty() && buffer_.back() == '\r') buffer_.pop_back();
    line(buffer_, events);
    buffer_.clear();
  }
  return {};
}

void EventParser::line(std::string_view text, std::vector<Event>& events) {
  if (text.empty()) {
    if (has_data_) {
      current_.id = last_id_;
      events.push_back(std::move(current_));
    }
    current_ = {};
    has_data_ = false;
    return;
  }
  std::size_t colon = text.find(':');
  if (colon == 0) return;
  std::string_view name = text.substr(0, colon);
  std::string_view value;
  if (colon != std::string_view::npos) value = text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    if (has_data_) current_.data += '\n';
    current_.data += value;
    has_data_ = true;
  } else if (name == "event") {
    current_.name = value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    last_id_ = value;
  }
}

}  // namespace shoal::protocol
