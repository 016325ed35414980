// Reads a JSON object field by field into typed variables; the first thing wrong is kept as the
// error, with the path of the field. Private to this module.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "protocol/codec.hpp"

namespace shoal::protocol {

using Json = nlohmann::json;

// What one decoding shares: how to treat unknown fields, and the first error.
struct ReadContext {
  UnknownFields unknown = UnknownFields::ignore;
  std::optional<Error> error;

  void fail_once(std::string message, std::string remedy = {});
  // "field 'a.b': expected X, found Y".
  void wrong_type(const std::string& path, std::string_view expected, const Json& found);
};

// Each reads one value, or leaves `out` and records why not.
void read(const Json& json, bool& out, const std::string& path, ReadContext& context);
void read(const Json& json, std::string& out, const std::string& path, ReadContext& context);
void read(const Json& json, std::uint64_t& out, const std::string& path, ReadContext& context);
void read(const Json& json, std::uint32_t& out, const std::string& path, ReadContext& context);
void read(const Json& json, std::int64_t& out, const std::string& path, ReadContext& context);
void read(const Json& json, double& out, const std::string& path, ReadContext& context);
void read(const Json& json, UtcSeconds& out, const std::string& path, ReadContext& context);

template <typename Enum>
  requires std::is_enum_v<Enum>
void read(const Json& json, Enum& out, const std::string& path, ReadContext& context) {
  std::string word;
  read(json, word, path, context);
  if (context.error) return;
  if (auto value = from_name<Enum>(word)) {
    out = *value;
  } else {
    context.fail_once("field '" + path + "': '" + word + "' is not one of: " + all_names<Enum>());
  }
}

// Checks that the value is an object and hands its fields out; finish() then judges what is left.
class ObjectReader {
 public:
  ObjectReader(const Json& json, std::string path, ReadContext& context);

  // The field must be there.
  template <typename T>
  void field(const char* name, T& out) {
    if (const Json* value = find(name, true)) read(*value, out, path_of(name), context_);
  }
  // The field may be absent or null.
  template <typename T>
  void field(const char* name, std::optional<T>& out) {
    if (const Json* value = find(name, false)) {
      T present{};
      read(*value, present, path_of(name), context_);
      out = std::move(present);
    }
  }
  // The field may be absent: the default stays.
  template <typename T>
  void optional_field(const char* name, T& out) {
    if (const Json* value = find(name, false)) read(*value, out, path_of(name), context_);
  }
  void finish();

 private:
  const Json* find(const char* name, bool required);
  std::string path_of(std::string_view name) const;

  const Json& json_;
  std::string path_;
  ReadContext& context_;
  std::vector<std::string> known_;
};

template <typename T>
void read(const Json& json, std::vector<T>& out, const std::string& path, ReadContext& context) {
  if (!json.is_array()) return context.wrong_type(path, "an array", json);
  out.clear();
  out.reserve(json.size());
  for (std::size_t i = 0; i < json.size() && !context.error; ++i) {
    T item{};
    read(json[i], item, path + "[" + std::to_string(i) + "]", context);
    out.push_back(std::move(item));
  }
}

template <typename T>
void read(const Json& json, std::map<std::string, T>& out, const std::string& path,
          ReadContext& context) {
  if (!json.is_object()) return context.wrong_type(path, "an object", json);
  out.clear();
  for (const auto& [key, value] : json.items()) {
    T item{};
    read(value, item, std::string(path).append(".").append(key), context);
    out.emplace(key, std::move(item));
  }
}

// The text as JSON, nested no deeper than kMaxJsonDepth. Errors: invalid_request.
Result<Json> parse_json(std::string_view text);

}  // namespace shoal::protocol
