// Typed, bounded access to JSON objects; never lets nlohmann throw.
#include "content/json_fields.hpp"

namespace shoal::content {

using nlohmann::json;

Result<JsonFields> JsonFields::of(const json& value, std::string where) {
  if (!value.is_object())
    return fail(ErrorKind::metadata_invalid, fmt::format("{} is not a JSON object", where));
  return JsonFields(value, std::move(where));
}

std::unexpected<Error> JsonFields::bad(const char* key, std::string_view why) const {
  return fail(ErrorKind::metadata_invalid, fmt::format("{}: field '{}' {}", where_, key, why));
}

Result<std::string> JsonFields::text(const char* key, std::size_t max_bytes) const {
  auto found = value_->find(key);
  if (found == value_->end()) return bad(key, "is missing");
  if (!found->is_string()) return bad(key, "is not a string");
  const auto& text = found->get_ref<const std::string&>();
  if (text.size() > max_bytes) return bad(key, fmt::format("is longer than {} bytes", max_bytes));
  return text;
}

Result<std::string> JsonFields::text_or(const char* key, std::size_t max_bytes,
                                        std::string otherwise) const {
  if (!has(key)) return otherwise;
  return text(key, max_bytes);
}

Result<std::uint64_t> JsonFields::number_or(const char* key, std::uint64_t max,
                                            std::uint64_t otherwise) const {
  auto found = value_->find(key);
  if (found == value_->end()) return otherwise;
  if (!found->is_number_unsigned()) return bad(key, "is not a whole number from 0");
  auto number = found->get<std::uint64_t>();
  if (number > max) return bad(key, fmt::format("is {}, more than {}", number, max));
  return number;
}

Result<bool> JsonFields::flag_or(const char* key, bool otherwise) const {
  auto found = value_->find(key);
  if (found == value_->end()) return otherwise;
  if (!found->is_boolean()) return bad(key, "is neither true nor false");
  return found->get<bool>();
}

Result<const json*> JsonFields::array(const char* key, std::size_t max_items) const {
  static const json kEmpty = json::array();
  auto found = value_->find(key);
  if (found == value_->end()) return &kEmpty;
  if (!found->is_array()) return bad(key, "is not an array");
  if (found->size() > max_items) return bad(key, fmt::format("has over {} items", max_items));
  return &*found;
}

Result<std::vector<std::string>> JsonFields::texts(const char* key, std::size_t max_items,
                                                   std::size_t max_bytes) const {
  SHOAL_ASSIGN(const json* items, array(key, max_items));
  std::vector<std::string> texts;
  for (const json& item : *items) {
    if (!item.is_string() || item.get_ref<const std::string&>().size() > max_bytes)
      return bad(key, "holds something that is not a string, or too long");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

}  // namespace shoal::content
