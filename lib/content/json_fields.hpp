// Reading fields of a JSON object whose every value is suspect: each getter names the field in its
// error. Private to `content`; include in .cpp files only (nlohmann is heavy).
#pragma once

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace shoal::content {

class JsonFields {
 public:
  // `where` names the object in errors. The value must outlive this.
  static Result<JsonFields> of(const nlohmann::json& value, std::string where);

  bool has(const char* key) const { return value_->contains(key); }
  // Required, at most max_bytes long.
  Result<std::string> text(const char* key, std::size_t max_bytes) const;
  // These give the default where the field is absent.
  Result<std::string> text_or(const char* key, std::size_t max_bytes, std::string otherwise) const;
  Result<std::uint64_t> number_or(const char* key, std::uint64_t max,
                                  std::uint64_t otherwise) const;
  Result<bool> flag_or(const char* key, bool otherwise) const;
  // Absent: an empty array.
  Result<const nlohmann::json*> array(const char* key, std::size_t max_items) const;
  Result<std::vector<std::string>> texts(const char* key, std::size_t max_items,
                                         std::size_t max_bytes) const;
  std::unexpected<Error> bad(const char* key, std::string_view why) const;

 private:
  JsonFields(const nlohmann::json& value, std::string where)
      : value_(&value), where_(std::move(where)) {}
  const nlohmann::json* value_;
  std::string where_;
};

}  // namespace shoal::content
