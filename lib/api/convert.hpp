// The agent's words to the protocol's and back. Only here do the two vocabularies meet.
#pragma once

#include "agent/service.hpp"
#include "protocol/messages.hpp"

namespace shoal::api {

// How many of a change's notes are shown where many changes, or many states of one, travel.
inline constexpr std::size_t kNotesInEvents = 20;
// And where one change was asked for: a damaged tree of 100,000 files must not make one answer of
// hundreds of megabytes.
inline constexpr std::size_t kNotesInAnswer = 10'000;

protocol::Config to_config(const agent::SystemView& view);
protocol::System to_protocol(const agent::SystemView& view, bool may_act);
protocol::Repository to_protocol(const agent::RepositoryView& view);
protocol::Product to_protocol(const agent::ProductView& view);
protocol::Install to_protocol(const agent::InstallView& view);
protocol::Plan to_protocol(const agent::PlanView& view);
protocol::Change to_protocol(const agent::Change& change, std::size_t most_notes);

// Checks what the types cannot say. Errors: invalid_request.
Result<agent::ChangeRequest> to_agent(const protocol::ChangeRequest& request);
Result<void> check(const protocol::AddRepository& request);
agent::ConfigUpdate to_agent(const protocol::ConfigUpdate& update);

}  // namespace shoal::api
