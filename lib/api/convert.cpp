// Field by field. The enumerations have the same words on both sides; each is mapped by an
// exhaustive switch, so that a value added on one side is a compiler warning here.
#include "api/convert.hpp"

#include <algorithm>

#include "base/relative_path.hpp"

namespace shoal::api {
namespace {

protocol::ChangeKind to_protocol(agent::ChangeKind kind) {
  switch (kind) {
    case agent::ChangeKind::install:
      return protocol::ChangeKind::install;
    case agent::ChangeKind::update:
      return protocol::ChangeKind::update;
    case agent::ChangeKind::verify:
      return protocol::ChangeKind::verify;
    case agent::ChangeKind::repair:
      return protocol::ChangeKind::repair;
    case agent::ChangeKind::uninstall:
      return protocol::ChangeKind::uninstall;
  }
  return {};
}

agent::ChangeKind to_agent(protocol::ChangeKind kind) {
  switch (kind) {
    case protocol::ChangeKind::install:
      return agent::ChangeKind::install;
    case protocol::ChangeKind::update:
      return agent::ChangeKind::update;
    case protocol::ChangeKind::verify:
      return agent::ChangeKind::verify;
    case protocol::ChangeKind::repair:
      return agent::ChangeKind::repair;
    case protocol::ChangeKind::uninstall:
      return agent::ChangeKind::uninstall;
  }
  return {};
}

protocol::ChangeState to_protocol(agent::ChangeState state) {
  switch (state) {
    case agent::ChangeState::queued:
      return protocol::ChangeState::queued;
    case agent::ChangeState::running:
      return protocol::ChangeState::running;
    case agent::ChangeState::paused:
      return protocol::ChangeState::paused;
    case agent::ChangeState::waiting:
      return protocol::ChangeState::waiting;
    case agent::ChangeState::done:
      return protocol::ChangeState::done;
    case agent::ChangeState::failed:
      return protocol::ChangeState::failed;
    case agent::ChangeState::cancelled:
      return protocol::ChangeState::cancelled;
  }
  return {};
}

protocol::TaskKind to_protocol(agent::TaskKind kind) {
  switch (kind) {
    case agent::TaskKind::metadata:
      return protocol::TaskKind::metadata;
    case agent::TaskKind::plan:
      return protocol::TaskKind::plan;
    case agent::TaskKind::delta:
      return protocol::TaskKind::delta;
    case agent::TaskKind::stage:
      return protocol::TaskKind::stage;
    case agent::TaskKind::fetch:
      return protocol::TaskKind::fetch;
    case agent::TaskKind::verify:
      return protocol::TaskKind::verify;
    case agent::TaskKind::commit:
      return protocol::TaskKind::commit;
  }
  return {};
}

protocol::TaskState to_protocol(agent::TaskState state) {
  switch (state) {
    case agent::TaskState::pending:
      return protocol::TaskState::pending;
    case agent::TaskState::running:
      return protocol::TaskState::running;
    case agent::TaskState::done:
      return protocol::TaskState::done;
    case agent::TaskState::failed:
      return protocol::TaskState::failed;
  }
  return {};
}

protocol::Priority to_protocol(agent::Priority priority) {
  switch (priority) {
    case agent::Priority::foreground:
      return protocol::Priority::foreground;
    case agent::Priority::background:
      return protocol::Priority::background;
  }
  return {};
}

agent::Priority to_agent(protocol::Priority priority) {
  switch (priority) {
    case protocol::Priority::foreground:
      return agent::Priority::foreground;
    case protocol::Priority::background:
      return agent::Priority::background;
  }
  return {};
}

protocol::Consent to_protocol(transfer::Consent consent) {
  switch (consent) {
    case transfer::Consent::denied:
      return protocol::Consent::denied;
    case transfer::Consent::lan:
      return protocol::Consent::lan;
    case transfer::Consent::granted:
      return protocol::Consent::granted;
  }
  return {};
}

transfer::Consent to_transfer(protocol::Consent consent) {
  switch (consent) {
    case protocol::Consent::denied:
      return transfer::Consent::denied;
    case protocol::Consent::lan:
      return transfer::Consent::lan;
    case protocol::Consent::granted:
      return transfer::Consent::granted;
  }
  return transfer::Consent::denied;
}

protocol::Policy to_protocol(transfer::Policy policy) {
  switch (policy) {
    case transfer::Policy::fastest:
      return protocol::Policy::fastest;
    case transfer::Policy::balanced:
      return protocol::Policy::balanced;
    case transfer::Policy::thrifty:
      return protocol::Policy::thrifty;
  }
  return {};
}

protocol::PolicyChoice to_protocol(const agent::PolicyChoice& choice) {
  if (!choice) return protocol::PolicyChoice::publisher;
  switch (*choice) {
    case transfer::Policy::fastest:
      return protocol::PolicyChoice::fastest;
    case transfer::Policy::balanced:
      return protocol::PolicyChoice::balanced;
    case transfer::Policy::thrifty:
      return protocol::PolicyChoice::thrifty;
  }
  return {};
}

agent::PolicyChoice to_agent(protocol::PolicyChoice choice) {
  switch (choice) {
    case protocol::PolicyChoice::publisher:
      return std::nullopt;
    case protocol::PolicyChoice::fastest:
      return transfer::Policy::fastest;
    case protocol::PolicyChoice::balanced:
      return transfer::Policy::balanced;
    case protocol::PolicyChoice::thrifty:
      return transfer::Policy::thrifty;
  }
  return {};
}

protocol::Mirror to_protocol(const transfer::MirrorStatus& status) {
  return {status.url, status.dropped, status.last_error, status.bytes, status.wrong_pieces};
}

protocol::Way to_protocol(install::Way way) {
  switch (way) {
    case install::Way::full:
      return protocol::Way::full;
    case install::Way::recipes:
      return protocol::Way::recipes;
    case install::Way::delta:
      return protocol::Way::delta;
  }
  return {};
}

protocol::ComponentPlan to_protocol(const agent::ComponentPlanView& view) {
  const auto& [way, cost, reason] = view.choice;
  return {view.component,   to_protocol(way),     reason, cost.fetch_bytes, cost.edge_bytes,
          cost.write_bytes, cost.peak_extra_bytes};
}

protocol::ByteCounts to_protocol(const agent::ByteCounts& bytes) {
  return {bytes.total,   bytes.edge,     bytes.peers,   bytes.lan,  bytes.reused,
          bytes.written, bytes.uploaded, bytes.fetched, bytes.delta};
}

}  // namespace

protocol::Config to_config(const agent::SystemView& view) {
  return {to_protocol(view.consent), view.limits.upload_bytes_per_s,
          view.limits.download_bytes_per_s, to_protocol(view.policy)};
}

protocol::System to_protocol(const agent::SystemView& view, bool may_act) {
  return {view.version,    view.state_dir,   view.libraries,      view.listen,   to_config(view),
          view.edge_bytes, view.peers_bytes, view.uploaded_bytes, view.uptime_s, may_act};
}

protocol::Repository to_protocol(const agent::RepositoryView& view) {
  protocol::Repository repository;
  repository.id = view.id;
  repository.url = view.url;
  repository.added_at = view.added_at;
  repository.refreshed_at = view.refreshed_at;
  repository.last_error = view.last_error;
  for (const auto& problem : view.problems)
    repository.problems.push_back({problem.product, problem.error});
  repository.trackers = view.trackers;
  repository.dht = view.dht;
  if (view.policy) repository.policy = to_protocol(*view.policy);
  repository.policy_source =
      view.policy_of_machine ? protocol::PolicySource::machine : protocol::PolicySource::publisher;
  for (const auto& mirror : view.mirrors) repository.mirrors.push_back(to_protocol(mirror));
  return repository;
}

protocol::Product to_protocol(const agent::ProductView& view) {
  return {view.product, view.repository, view.channels, view.versions};
}

protocol::Install to_protocol(const agent::InstallView& view) {
  protocol::Install install;
  install.id = view.id;
  install.product = view.product;
  install.channel = view.channel;
  install.version = view.version;
  install.available_version = view.available_version;
  install.library = view.library;
  install.path = view.path;
  install.size_bytes = view.size_bytes;
  install.kept_delta_bytes = view.kept_delta_bytes;
  install.seeding = view.seeding;
  install.uploaded_bytes = view.uploaded_bytes;
  install.peers_connected = view.peers_connected;
  install.launch_executable = view.launch_executable;
  install.launch_arguments = view.launch_arguments;
  install.updated_at = view.updated_at;
  install.current_change = view.current_change;
  return install;
}

protocol::Plan to_protocol(const agent::PlanView& view) {
  protocol::Plan plan;
  plan.kind = to_protocol(view.kind);
  plan.product = view.product;
  plan.version = view.version;
  plan.from_version = view.from_version;
  plan.fetch_bytes = view.fetch_bytes;
  plan.edge_bytes = view.edge_bytes;
  plan.reuse_bytes = view.reuse_bytes;
  plan.delta_bytes = view.delta_bytes;
  plan.write_bytes = view.write_bytes;
  plan.peak_extra_bytes = view.peak_extra_bytes;
  plan.final_bytes = view.final_bytes;
  plan.free_bytes = view.free_bytes;
  plan.moved_aside = view.moved_aside;
  for (const auto& component : view.components) plan.components.push_back(to_protocol(component));
  plan.nothing_to_do = view.nothing_to_do;
  return plan;
}

protocol::Change to_protocol(const agent::Change& from, std::size_t most_notes) {
  protocol::Change change;
  change.id = from.id;
  change.kind = to_protocol(from.kind);
  change.state = to_protocol(from.state);
  change.product = from.product;
  change.version = from.version;
  change.from_version = from.from_version;
  change.priority = to_protocol(from.priority);
  for (const auto& task : from.tasks)
    change.tasks.push_back(
        {to_protocol(task.kind), to_protocol(task.state), task.done_bytes, task.total_bytes});
  change.bytes = to_protocol(from.bytes);
  change.edge_bytes_per_s = from.edge_bytes_per_s;
  change.peers_bytes_per_s = from.peers_bytes_per_s;
  change.peers_connected = from.peers_connected;
  change.eta_s = from.eta_s;
  change.waiting_for = from.waiting_for;
  for (const auto& note : from.notes) {
    if (change.notes.size() == most_notes) break;
    change.notes.push_back({note.path, note.note});
  }
  change.notes_total = from.notes.size();
  change.error = from.error;
  change.created_at = from.created_at;
  change.updated_at = from.updated_at;
  change.seconds = from.seconds;
  return change;
}

Result<agent::ChangeRequest> to_agent(const protocol::ChangeRequest& request) {
  SHOAL_TRY(check_name("product", request.product));
  bool install_only = request.channel || request.version || request.library || request.repository ||
                      !request.components.empty();
  if (request.kind != protocol::ChangeKind::install && install_only)
    return fail(ErrorKind::invalid_request,
                "channel, version, library, repository and components go with kind 'install' only",
                "Leave them out.");
  if (request.channel && request.version)
    return fail(ErrorKind::invalid_request, "both channel and version are given",
                "Give a channel to follow or a version to stay at, not both.");
  if (request.channel) SHOAL_TRY(check_name("channel", *request.channel));
  if (request.version) SHOAL_TRY(check_name("version", *request.version));
  for (const auto& component : request.components) SHOAL_TRY(check_name("component", component));
  auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (request.library &&
      (!request.library->starts_with('/') ||
       std::any_of(request.library->begin(), request.library->end(), is_control)))
    return fail(ErrorKind::invalid_request, "library must be an absolute path",
                "Name a folder such as /srv/games.");
  agent::ChangeRequest to;
  to.kind = to_agent(request.kind);
  to.product = request.product;
  to.channel = request.channel;
  to.version = request.version;
  to.library = request.library;
  to.repository = request.repository;
  to.components = request.components;
  to.priority = to_agent(request.priority);
  return to;
}

Result<void> check(const protocol::AddRepository& request) {
  constexpr std::size_t kMaxUrlBytes = 2048;  // as most servers and browsers have it
  bool known_scheme = request.url.starts_with("http://") || request.url.starts_with("https://");
  auto is_bad = [](unsigned char c) { return c <= 0x20 || c >= 0x7f; };
  if (!known_scheme || request.url.size() > kMaxUrlBytes ||
      std::any_of(request.url.begin(), request.url.end(), is_bad))
    return fail(ErrorKind::invalid_request,
                "url must be an http:// or https:// address of printable ASCII, at most " +
                    std::to_string(kMaxUrlBytes) + " bytes long");
  if (request.root_json.empty())
    return fail(ErrorKind::invalid_request, "root_json is empty",
                "Send the repository's root.json, as its publisher gave it to you.");
  return {};
}

agent::ConfigUpdate to_agent(const protocol::ConfigUpdate& update) {
  agent::ConfigUpdate to;
  if (update.consent) to.consent = to_transfer(*update.consent);
  to.upload_bytes_per_s = update.upload_bytes_per_s;
  to.download_bytes_per_s = update.download_bytes_per_s;
  if (update.policy) to.policy = to_agent(*update.policy);
  return to;
}

}  // namespace shoal::api
