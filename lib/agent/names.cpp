// The words of the local API for the agent's enumerations.
#include "agent/service.hpp"

namespace shoal::agent {

std::string_view name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::install:
      return "install";
    case ChangeKind::update:
      return "update";
    case ChangeKind::verify:
      return "verify";
    case ChangeKind::repair:
      return "repair";
    case ChangeKind::uninstall:
      return "uninstall";
  }
  return "";
}

std::string_view name_of(ChangeState state) {
  switch (state) {
    case ChangeState::queued:
      return "queued";
    case ChangeState::running:
      return "running";
    case ChangeState::paused:
      return "paused";
    case ChangeState::waiting:
      return "waiting";
    case ChangeState::done:
      return "done";
    case ChangeState::failed:
      return "failed";
    case ChangeState::cancelled:
      return "cancelled";
  }
  return "";
}

std::string_view name_of(TaskKind kind) {
  switch (kind) {
    case TaskKind::metadata:
      return "metadata";
    case TaskKind::plan:
      return "plan";
    case TaskKind::delta:
      return "delta";
    case TaskKind::stage:
      return "stage";
    case TaskKind::fetch:
      return "fetch";
    case TaskKind::verify:
      return "verify";
    case TaskKind::commit:
      return "commit";
  }
  return "";
}

std::string_view name_of(TaskState state) {
  switch (state) {
    case TaskState::pending:
      return "pending";
    case TaskState::running:
      return "running";
    case TaskState::done:
      return "done";
    case TaskState::failed:
      return "failed";
  }
  return "";
}

std::string_view name_of(Priority priority) {
  switch (priority) {
    case Priority::foreground:
      return "foreground";
    case Priority::background:
      return "background";
  }
  return "";
}

}  // namespace shoal::agent
