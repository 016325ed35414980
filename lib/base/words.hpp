// The words of choices that several modules have an enumeration of their own for (the API's
// messages know nothing of the swarm): written once, so that configuration, database, API and
// repository cannot differ.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace shoal {

// For an enumeration with the values denied, lan and granted.
template <typename Consent>
inline constexpr std::array kConsentWords = {
    std::pair{Consent::denied, std::string_view("denied")},
    std::pair{Consent::lan, std::string_view("lan")},
    std::pair{Consent::granted, std::string_view("granted")},
};

// For an enumeration with the values fastest, balanced and thrifty.
template <typename Policy>
inline constexpr std::array kPolicyWords = {
    std::pair{Policy::fastest, std::string_view("fastest")},
    std::pair{Policy::balanced, std::string_view("balanced")},
    std::pair{Policy::thrifty, std::string_view("thrifty")},
};

// What an administrator says who leaves the policy to the publisher of each repository.
inline constexpr std::string_view kPublishersPolicyWord = "publisher";

// "" when the table lacks the value.
template <typename Rows, typename Value>
constexpr std::string_view word_of(const Rows& rows, Value value) {
  for (const auto& [row, word] : rows)
    if (row == value) return word;
  return "";
}

template <typename Rows>
constexpr auto value_of(const Rows& rows, std::string_view word) {
  std::optional<typename Rows::value_type::first_type> value;
  for (const auto& [row, row_word] : rows)
    if (row_word == word) value = row;
  return value;
}

}  // namespace shoal
