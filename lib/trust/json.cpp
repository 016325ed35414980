// A SAX handler builds the document and refuses what a signature must not cover: doubled members
// and bottomless nesting. The canonical form is written by a plain recursion, whose depth the
// reader has bounded.
#include "trust/json.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace shoal::trust {
namespace {

using nlohmann::json;

class StrictReader final : public json::json_sax_t {
 public:
  StrictReader(std::uint32_t max_depth, std::uint32_t max_values)
      : max_depth_(max_depth), max_values_(max_values) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (open_.back()->contains(name)) {
      why_ = fmt::format("the member \"{}\" is there twice", name.substr(0, 100));
      return false;
    }
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    why_ = fmt::format("no JSON at byte {}", position);
    return false;
  }

  json take() { return std::move(root_); }
  std::unexpected<Error> refusal(std::string_view name) const {
    return fail(kind_, fmt::format("{}: {}", name, why_));
  }

 private:
  json* place(json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    json& parent = *open_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool count() {
    if (++values_ <= max_values_) return true;
    kind_ = ErrorKind::too_large;
    why_ = fmt::format("it holds more than the {} values allowed", max_values_);
    return false;
  }
  bool put(json value) {
    if (!count()) return false;
    place(std::move(value));
    return true;
  }
  bool open(json container) {
    if (!count()) return false;
    if (open_.size() >= max_depth_) {
      why_ = fmt::format("it is nested deeper than {}", max_depth_);
      return false;
    }
    // A parent is only appended to again after this one is closed, so the pointer stays good.
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::uint32_t max_depth_;
  std::uint32_t max_values_;
  std::uint32_t values_ = 0;
  json root_;
  std::vector<json*> open_;
  std::string key_;
  ErrorKind kind_ = ErrorKind::metadata_invalid;
  std::string why_;
};

void append_string(std::string& out, const std::string& text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

Result<void> append(std::string& out, const json& value) {
  switch (value.type()) {
    case json::value_t::null:
      out += "null";
      return {};
    case json::value_t::boolean:
      out += value.get<bool>() ? "true" : "false";
      return {};
    case json::value_t::number_integer:
      out += std::to_string(value.get<std::int64_t>());
      return {};
    case json::value_t::number_unsigned:
      out += std::to_string(value.get<std::uint64_t>());
      return {};
    case json::value_t::string:
      append_string(out, value.get_ref<const std::string&>());
      return {};
    case json::value_t::array: {
      out += '[';
      bool first = true;
      for (const auto& entry : value) {
        if (!std::exchange(first, false)) out += ',';
        SHOAL_TRY(append(out, entry));
      }
      out += ']';
      return {};
    }
    case json::value_t::object: {
      out += '{';
      bool first = true;
      for (auto member = value.begin(); member != value.end(); ++member) {  // std::map: sorted
        if (!std::exchange(first, false)) out += ',';
        append_string(out, member.key());
        out += ':';
        SHOAL_TRY(append(out, member.value()));
      }
      out += '}';
      return {};
    }
    case json::value_t::number_float:
    case json::value_t::binary:
    case json::value_t::discarded:
      break;
  }
  return fail(ErrorKind::metadata_invalid,
              "a number is not an integer, which canonical JSON cannot hold");
}

}  // namespace

Result<json> parse_json(ByteView bytes, std::uint32_t max_depth, std::string_view name,
                        std::uint32_t max_values) {
  StrictReader reader(max_depth, max_values);
  if (!json::sax_parse(bytes.begin(), bytes.end(), &reader)) return reader.refusal(name);
  return reader.take();
}

Result<std::string> canonical_json(const json& value) {
  std::string out;
  SHOAL_TRY(append(out, value));
  return out;
}

Result<std::string> metadata_text(const json& document) {
  if (!document.is_object()) return canonical_json(document);
  std::string out = "{";
  for (auto member = document.begin(); member != document.end(); ++member) {
    if (member != document.begin()) out += ',';
    append_string(out, member.key());
    out += ':';
    if (member.key() == "signatures")
      out += member.value().dump();
    else
      SHOAL_TRY(append(out, member.value()));
  }
  out += '}';
  return out;
}

}  // namespace shoal::trust
