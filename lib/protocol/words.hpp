// The words of the local API: each enumeration and the snake_case name of every value, in one
// table per enumeration, so that a word is written in one place only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace shoal::protocol {

enum class ChangeKind { install, update, verify, repair, uninstall };
enum class ChangeState { queued, running, paused, waiting, done, failed, cancelled };
enum class TaskKind { metadata, plan, delta, stage, fetch, verify, commit };
enum class TaskState { pending, running, done, failed };
enum class Way { full, recipes, delta };  // to a component's new bytes
enum class Priority { foreground, background };
enum class Consent { denied, lan, granted };
enum class Policy { fastest, balanced, thrifty };
// What an administrator chose: a policy, or to leave it to the publisher of each repository.
enum class PolicyChoice { publisher, fastest, balanced, thrifty };
enum class PolicySource { machine, publisher };  // who chose the policy in force

// The word of a value, and back: empty when the word is not one of the enumeration's.
// For each of the enumerations above.
template <typename Enum>
std::string_view name_of(Enum value);
template <typename Enum>
std::optional<Enum> from_name(std::string_view name);
// "install, update, …": for messages.
template <typename Enum>
std::string all_names();

// Whether the change will never be running again.
bool has_ended(ChangeState state);

}  // namespace shoal::protocol
