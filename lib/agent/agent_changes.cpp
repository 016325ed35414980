// Requests for changes: which install they mean, whether they may start, and their control.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "agent/agent.hpp"
#include "agent/preparation.hpp"

namespace shoal::agent {
namespace {

constexpr const char* kSeeStatus = "'shoal status' shows the changes.";

std::unexpected<Error> has_ended(const ChangeRecord& record) {
  return fail(
      ErrorKind::conflict,
      fmt::format("change {} has ended: it is {}", record.view.id, name_of(record.view.state)),
      kSeeStatus);
}

}  // namespace

Agent::InstallEntry* Agent::find_install(const std::string& product) {
  for (auto& [id, entry] : installs_)
    if (entry.row.product == product) return &entry;
  return nullptr;
}

const ChangeRunner* Agent::unfinished(std::int64_t install) const {
  for (const auto& [number, change] : changes_)
    if (change->record().install == install && !change->record().ended()) return change.get();
  return nullptr;
}

Result<std::int64_t> Agent::repository_for(const ChangeRequest& request) {
  if (request.repository) {
    if (repositories_.contains(*request.repository)) return *request.repository;
    return fail(ErrorKind::not_found, fmt::format("no repository {}", *request.repository),
                "'shoal repo list' shows the repositories.");
  }
  if (repositories_.empty())
    return fail(ErrorKind::not_found, "no repository has been added",
                "Add one: shoal repo add URL --root FILE.");
  if (repositories_.size() == 1) return repositories_.begin()->first;
  std::vector<std::int64_t> offering;
  for (const auto& [id, entry] : repositories_) {
    const auto& contents = entry.contents;
    bool there = std::ranges::any_of(
        contents.products, [&](const auto& product) { return product.first == request.product; });
    // One that cannot be read now is asked all the same, and says what is wrong with it.
    there = there ||
            std::ranges::count(contents.problems, request.product, &ProductProblem::product) > 0;
    if (there) offering.push_back(id);
  }
  // Else a repository could put a product of its own in the place of one that it keeps from being
  // read.
  for (const auto& [id, entry] : repositories_) {
    if (entry.refreshed_at) continue;
    refresh(id, [](const auto&) {});
    return fail(ErrorKind::source_unavailable,
                fmt::format("repository {} ({}) has not been read yet, and may have '{}', too", id,
                            entry.client->row().url, request.product),
                "Try again in a moment, or say which: --repository ID.");
  }
  if (offering.size() == 1) return offering.front();
  if (offering.empty())
    return fail(ErrorKind::not_found, fmt::format("no repository has '{}'", request.product),
                "'shoal products' shows what there is.");
  return fail(ErrorKind::invalid_request,
              fmt::format("{} repositories have '{}'", offering.size(), request.product),
              "Say which: --repository ID.");
}

Result<Agent::Target> Agent::install_target(const ChangeRequest& request) {
  if (request.channel && request.version)
    return fail(ErrorKind::invalid_request, "a channel and a version exclude each other");
  Target target;
  std::string path = request.library.value_or("");
  if (auto* entry = find_install(request.product)) {
    if (!path.empty() && path != entry->row.library)
      return fail(ErrorKind::conflict,
                  fmt::format("'{}' is installed in {}", request.product, entry->row.library),
                  "Uninstall it first, or leave the library out.");
    if (request.repository && *request.repository != entry->row.repository)
      return fail(ErrorKind::conflict,
                  fmt::format("'{}' is installed from repository {}", request.product,
                              entry->row.repository),
                  "Uninstall it first, or leave the repository out.");
    target.row = entry->row;
    if (!request.version) target.row.channel = request.channel.value_or("stable");
    return target;
  }
  if (path.empty() && options_.libraries.empty())
    return fail(ErrorKind::invalid_request, "no library is configured",
                "Name one with --library DIR.");
  if (path.empty()) path = options_.libraries.front().string();
  if (!std::filesystem::path(path).is_absolute())
    return fail(ErrorKind::invalid_request, fmt::format("library '{}' is not absolute", path));
  path = std::filesystem::path(path).lexically_normal().string();
  SHOAL_ASSIGN(target.row.repository, repository_for(request));
  target.row.product = request.product;
  target.row.channel = request.version ? "" : request.channel.value_or("stable");
  target.row.library = path;
  target.row.folder = request.product;
  return target;
}

Result<Agent::Target> Agent::target_of(const ChangeRequest& request) {
  SHOAL_TRY(check_name("product", request.product));
  if (request.channel) SHOAL_TRY(check_name("channel", *request.channel));
  if (request.version) SHOAL_TRY(check_name("version", *request.version));
  if (request.kind == ChangeKind::install) return install_target(request);
  auto* entry = find_install(request.product);
  if (entry == nullptr)
    return fail(ErrorKind::not_found, fmt::format("'{}' is not installed", request.product),
                "'shoal list' shows what is installed.");
  if (entry->row.version.empty() && request.kind != ChangeKind::uninstall)
    return fail(ErrorKind::conflict,
                fmt::format("'{}' is not installed completely yet", request.product));
  return Target{entry->row};
}

void Agent::plan(const ChangeRequest& request, Reply<PlanView> reply) {
  if (request.kind == ChangeKind::verify || request.kind == ChangeKind::uninstall)
    return reply(
        fail(ErrorKind::invalid_request, fmt::format("{} has no plan", name_of(request.kind))));
  auto target = target_of(request);
  if (!target) return reply(fail(target.error()));
  PreparationInput input;
  input.kind = request.kind;
  input.row = target->row;
  if (input.row.id == 0)
    if (auto made = make_directories(input.row.library); !made) return reply(fail(made.error()));
  auto opened = library(input.row.library);
  if (!opened) return reply(fail(opened.error()));
  input.library = *opened;
  auto client = repository(input.row.repository);
  if (!client && request.kind != ChangeKind::repair) return reply(fail(client.error()));
  if (client) input.client = *client;
  input.wanted = {request.product, input.row.channel, request.version, request.components};
  if (!input.wanted.version && input.row.channel.empty()) input.wanted.version = input.row.version;
  run_job<PlanView>(
      context_,
      [&context = context_, input]() -> Result<PlanView> {
        StopToken stop;
        SHOAL_ASSIGN(auto prepared, prepare(context, input, stop));
        SHOAL_ASSIGN(auto plan, plan_between(prepared, input, stop));
        return describe_plan(plan, prepared, input.kind);
      },
      std::move(reply));
}

Result<Change> Agent::start(const ChangeRequest& request) {
  SHOAL_ASSIGN(auto target, target_of(request));
  if (const auto* other = unfinished(target.row.id); other != nullptr && target.row.id != 0)
    return fail(ErrorKind::conflict,
                fmt::format("change {} ({} {}) is not finished", other->record().view.id,
                            name_of(other->record().view.kind), request.product));
  std::size_t waiting = 0;
  for (const auto& [number, change] : changes_) waiting += change->record().ended() ? 0 : 1;
  if (waiting >= kMaxQueuedChanges)
    return fail(ErrorKind::conflict, fmt::format("{} changes are waiting already", waiting));
  if (target.row.id == 0) {
    SHOAL_TRY(make_directories(target.row.library));
    SHOAL_TRY(library(target.row.library));
    target.row.updated_at = context_.clock.now();
    SHOAL_ASSIGN(target.row.id, context_.store.add_install(target.row));
    installs_[target.row.id].row = target.row;
  }
  auto number = next_change_++;
  SHOAL_TRY(context_.store.set_setting("next_change", std::to_string(next_change_)));
  ChangeRecord record;
  record.request = request;
  record.install = target.row.id;
  record.view.id = std::to_string(number);
  record.view.kind = request.kind;
  record.view.product = request.product;
  record.view.priority = request.priority;
  record.view.from_version = target.row.version;
  record.view.created_at = record.view.updated_at = context_.clock.now();
  SHOAL_TRY(context_.store.put_change(to_row(record)));
  auto view = record.view;
  changes_[number] = make_runner(context_, *this, std::move(record));
  emit("change", view.id);
  context_.main.post([this] { pump(); });
  return view;
}

std::vector<Change> Agent::changes() const {
  std::vector<Change> views;
  for (auto entry = changes_.rbegin(); entry != changes_.rend(); ++entry)
    views.push_back(entry->second->record().view);
  return views;
}

Result<std::shared_ptr<ChangeRunner>> Agent::runner(const std::string& id) const {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  auto found = changes_.find(number);
  if (error == std::errc{} && end == id.data() + id.size() && found != changes_.end())
    return found->second;
  return fail(ErrorKind::not_found, fmt::format("no change '{}'", id.substr(0, 40)), kSeeStatus);
}

Result<Change> Agent::change(const std::string& id) const {
  SHOAL_ASSIGN(auto found, runner(id));
  return found->record().view;
}

Result<Change> Agent::pause(const std::string& id) {
  SHOAL_ASSIGN(auto found, runner(id));
  if (found->record().ended()) return has_ended(found->record());
  SHOAL_TRY(found->stop(StopReason::pause));
  return found->record().view;
}

Result<Change> Agent::resume(const std::string& id) {
  SHOAL_ASSIGN(auto found, runner(id));
  if (found->record().view.state != ChangeState::paused)
    return fail(ErrorKind::conflict,
                fmt::format("the change is {}, not paused", name_of(found->record().view.state)),
                kSeeStatus);
  found->start();
  return found->record().view;
}

Result<Change> Agent::cancel(const std::string& id) {
  SHOAL_ASSIGN(auto found, runner(id));
  if (found->record().ended()) return has_ended(found->record());
  SHOAL_TRY(found->stop(StopReason::cancel));
  return found->record().view;
}

}  // namespace shoal::agent
