// One table per enumeration; the three functions below search it.
#include "protocol/words.hpp"

#include <array>
#include <utility>

#include "base/words.hpp"

namespace shoal::protocol {
namespace {

template <typename Enum>
struct Words;

template <>
struct Words<ChangeKind> {
  static constexpr std::array rows = {
      std::pair{ChangeKind::install, "install"},     std::pair{ChangeKind::update, "update"},
      std::pair{ChangeKind::verify, "verify"},       std::pair{ChangeKind::repair, "repair"},
      std::pair{ChangeKind::uninstall, "uninstall"},
  };
};

template <>
struct Words<ChangeState> {
  static constexpr std::array rows = {
      std::pair{ChangeState::queued, "queued"},       std::pair{ChangeState::running, "running"},
      std::pair{ChangeState::paused, "paused"},       std::pair{ChangeState::waiting, "waiting"},
      std::pair{ChangeState::done, "done"},           std::pair{ChangeState::failed, "failed"},
      std::pair{ChangeState::cancelled, "cancelled"},
  };
};

template <>
struct Words<TaskKind> {
  static constexpr std::array rows = {
      std::pair{TaskKind::metadata, "metadata"}, std::pair{TaskKind::plan, "plan"},
      std::pair{TaskKind::delta, "delta"},       std::pair{TaskKind::stage, "stage"},
      std::pair{TaskKind::fetch, "fetch"},       std::pair{TaskKind::verify, "verify"},
      std::pair{TaskKind::commit, "commit"},
  };
};

template <>
struct Words<TaskState> {
  static constexpr std::array rows = {
      std::pair{TaskState::pending, "pending"},
      std::pair{TaskState::running, "running"},
      std::pair{TaskState::done, "done"},
      std::pair{TaskState::failed, "failed"},
  };
};

template <>
struct Words<Way> {
  static constexpr std::array rows = {
      std::pair{Way::full, "full"},
      std::pair{Way::recipes, "recipes"},
      std::pair{Way::delta, "delta"},
  };
};

template <>
struct Words<Priority> {
  static constexpr std::array rows = {
      std::pair{Priority::foreground, "foreground"},
      std::pair{Priority::background, "background"},
  };
};

template <>
struct Words<Consent> {
  static constexpr auto rows = kConsentWords<Consent>;
};

template <>
struct Words<Policy> {
  static constexpr auto rows = kPolicyWords<Policy>;
};

template <>
struct Words<PolicyChoice> {
  static constexpr std::array rows = {
      std::pair{PolicyChoice::publisher, kPublishersPolicyWord},
      kPolicyWords<PolicyChoice>[0],
      kPolicyWords<PolicyChoice>[1],
      kPolicyWords<PolicyChoice>[2],
  };
};

template <>
struct Words<PolicySource> {
  static constexpr std::array rows = {
      std::pair{PolicySource::machine, "machine"},
      std::pair{PolicySource::publisher, "publisher"},
  };
};

}  // namespace

template <typename Enum>
std::string_view name_of(Enum value) {
  for (const auto& [row, name] : Words<Enum>::rows)
    if (row == value) return name;
  return "";
}

template <typename Enum>
std::optional<Enum> from_name(std::string_view name) {
  for (const auto& [row, row_name] : Words<Enum>::rows)
    if (row_name == name) return row;
  return std::nullopt;
}

template <typename Enum>
std::string all_names() {
  std::string text;
  for (const auto& [row, name] : Words<Enum>::rows) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

#define SHOAL_PROTOCOL_WORDS(Enum)                                \
  template std::string_view name_of<Enum>(Enum);                  \
  template std::optional<Enum> from_name<Enum>(std::string_view); \
  template std::string all_names<Enum>();
SHOAL_PROTOCOL_WORDS(ChangeKind)
SHOAL_PROTOCOL_WORDS(ChangeState)
SHOAL_PROTOCOL_WORDS(TaskKind)
SHOAL_PROTOCOL_WORDS(TaskState)
SHOAL_PROTOCOL_WORDS(Way)
SHOAL_PROTOCOL_WORDS(Priority)
SHOAL_PROTOCOL_WORDS(Consent)
SHOAL_PROTOCOL_WORDS(Policy)
SHOAL_PROTOCOL_WORDS(PolicyChoice)
SHOAL_PROTOCOL_WORDS(PolicySource)
#undef SHOAL_PROTOCOL_WORDS

bool has_ended(ChangeState state) {
  switch (state) {
    case ChangeState::done:
    case ChangeState::failed:
    case ChangeState::cancelled:
      return true;
    case ChangeState::queued:
    case ChangeState::running:
    case ChangeState::paused:
    case ChangeState::waiting:
      return false;
  }
  return false;
}

}  // namespace shoal::protocol
