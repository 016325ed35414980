// Strict readers of single values, and the bookkeeping of an object's fields. Integers must be
// JSON integers (not 1.0, not "1") within the range of their meaning.
#include "protocol/json_reader.hpp"

#include <algorithm>
#include <limits>

#include "base/nearest.hpp"

namespace shoal::protocol {
namespace {

constexpr std::uint64_t kMaxCount = std::numeric_limits<std::int64_t>::max();

std::string describe_path(const std::string& path) {
  return path.empty() ? std::string("the message") : "field '" + path + "'";
}

// The deepest nesting of brackets outside strings; does not check anything else.
std::size_t nesting_depth(std::string_view text) {
  std::size_t depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

void ReadContext::fail_once(std::string message, std::string remedy) {
  if (!error) error = Error{ErrorKind::invalid_request, std::move(message), std::move(remedy)};
}

void ReadContext::wrong_type(const std::string& path, std::string_view expected,
                             const Json& found) {
  fail_once(describe_path(path) + ": expected " + std::string(expected) + ", found " +
            found.type_name());
}

void read(const Json& json, bool& out, const std::string& path, ReadContext& context) {
  if (!json.is_boolean()) return context.wrong_type(path, "true or false", json);
  out = json.get<bool>();
}

void read(const Json& json, std::string& out, const std::string& path, ReadContext& context) {
  if (!json.is_string()) return context.wrong_type(path, "a string", json);
  out = json.get_ref<const std::string&>();
}

void read(const Json& json, std::uint64_t& out, const std::string& path, ReadContext& context) {
  if (json.is_number_unsigned() && json.get<std::uint64_t>() <= kMaxCount) {
    out = json.get<std::uint64_t>();
    return;
  }
  if (json.is_number())
    return context.fail_once(describe_path(path) + ": expected an integer from 0 to " +
                             std::to_string(kMaxCount) + ", found " + json.dump());
  context.wrong_type(path, "an integer", json);
}

void read(const Json& json, std::uint32_t& out, const std::string& path, ReadContext& context) {
  std::uint64_t wide = 0;
  read(json, wide, path, context);
  if (wide > std::numeric_limits<std::uint32_t>::max())
    return context.fail_once(describe_path(path) + ": " + std::to_string(wide) + " is too large");
  out = static_cast<std::uint32_t>(wide);
}

void read(const Json& json, std::int64_t& out, const std::string& path, ReadContext& context) {
  bool fits = json.is_number_integer() &&
              (!json.is_number_unsigned() || json.get<std::uint64_t>() <= kMaxCount);
  if (!fits) return context.wrong_type(path, "a 64-bit integer", json);
  out = json.get<std::int64_t>();
}

void read(const Json& json, double& out, const std::string& path, ReadContext& context) {
  if (!json.is_number()) return context.wrong_type(path, "a number", json);
  out = json.get<double>();
}

void read(const Json& json, UtcSeconds& out, const std::string& path, ReadContext& context) {
  std::string text;
  read(json, text, path, context);
  if (context.error) return;
  if (auto time = parse_utc(text)) {
    out = *time;
  } else {
    context.fail_once(describe_path(path) +
                      ": expected a UTC time such as 2026-11-22T12:30:00Z, found '" + text + "'");
  }
}

ObjectReader::ObjectReader(const Json& json, std::string path, ReadContext& context)
    : json_(json), path_(std::move(path)), context_(context) {
  if (!json_.is_object()) context_.wrong_type(path_, "an object", json_);
}

const Json* ObjectReader::find(const char* name, bool required) {
  if (context_.error) return nullptr;
  known_.emplace_back(name);
  auto found = json_.find(name);
  if (found != json_.end() && !(found->is_null() && !required)) return &*found;
  if (required) context_.fail_once("field '" + path_of(name) + "' is missing");
  return nullptr;
}

std::string ObjectReader::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

void ObjectReader::finish() {
  if (context_.error || context_.unknown == UnknownFields::ignore) return;
  for (const auto& [key, value] : json_.items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    std::string nearest = nearest_name(key, known_);
    context_.fail_once("unknown field '" + path_of(key) + "'",
                       nearest.empty() ? "Leave it out." : "Did you mean '" + nearest + "'?");
    return;
  }
}

Result<Json> parse_json(std::string_view text) {
  if (nesting_depth(text) > kMaxJsonDepth)
    return fail(ErrorKind::invalid_request,
                "the JSON is nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    return fail(ErrorKind::invalid_request, std::string("not valid JSON: ") + error.what());
  }
}

}  // namespace shoal::protocol
