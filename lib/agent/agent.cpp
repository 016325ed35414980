// Start, shut down, and what the runners ask of the agent.
#include "agent/agent.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/preparation.hpp"
#include "base/words.hpp"

namespace shoal::agent {
namespace {

constexpr std::chrono::milliseconds kFirstRefresh{2'000};
constexpr std::chrono::milliseconds kRefreshEvery{std::chrono::hours(1)};
constexpr std::chrono::milliseconds kLimitsEvery{1'000};
constexpr std::chrono::milliseconds kShutdownPoll{20};

std::uint64_t number_of(const std::string& id) {
  std::uint64_t number = 0;
  std::from_chars(id.data(), id.data() + id.size(), number);
  return number;
}

}  // namespace

Agent::Agent(const Context& context, AgentOptions options)
    : context_(context),
      options_(std::move(options)),
      seeding_(context, options_.dht, options_.keep_deltas) {
  settings_.node = options_.node;
  settings_.dht = options_.dht;
  settings_.keep_deltas = options_.keep_deltas;
  started_ = context_.clock.steady();
}

Agent::~Agent() = default;

Result<void> Agent::start() {
  SHOAL_TRY(load_settings());
  SHOAL_ASSIGN(auto rows, context_.store.repositories());
  for (auto& row : rows) {
    auto id = row.id;
    repositories_[id].client = std::make_shared<RepositoryClient>(context_, std::move(row));
  }
  std::vector<std::string> finished;
  auto recovered = finish_open_commits(
      context_, 0, [this](const std::string& path) { return library(path); },
      [&](const CommitRecord& record) { finished.push_back(record.change); });
  // A library that is not mounted now must not keep the daemon from starting; the next change of
  // that install tries again.
  if (!recovered)
    context_.log.error("agent", "an interrupted commit waits: {}", recovered.error().describe());
  SHOAL_TRY(load_installs());
  SHOAL_TRY(load_changes());
  for (const auto& id : finished) {
    auto found = changes_.find(number_of(id));
    if (found == changes_.end()) continue;
    auto record = found->second->record();
    record.view.state = ChangeState::done;
    record.view.error.reset();
    SHOAL_TRY(context_.store.put_change(to_row(record)));
    found->second = make_runner(context_, *this, std::move(record));
  }
  context_.swarm.set_consent(settings_.consent);
  apply_limits();
  for (const auto& [id, entry] : installs_) {
    load_details(id);
    start_seeding(id, {});
  }
  pump();
  arm_refresh(kFirstRefresh);
  arm_limits();
  return {};
}

Result<void> Agent::load_settings() {
  auto number = [this](const char* key) -> Result<std::uint64_t> {
    SHOAL_ASSIGN(auto text, context_.store.setting(key));
    return text ? number_of(*text) : 0;
  };
  SHOAL_ASSIGN(auto consent, context_.store.setting("consent"));
  if (consent)
    settings_.consent =
        value_of(kConsentWords<transfer::Consent>, *consent).value_or(transfer::Consent::denied);
  SHOAL_ASSIGN(auto policy, context_.store.setting("policy"));
  if (policy) settings_.policy = value_of(kPolicyWords<transfer::Policy>, *policy);
  SHOAL_ASSIGN(limits_.upload_bytes_per_s, number("upload_bytes_per_s"));
  SHOAL_ASSIGN(limits_.download_bytes_per_s, number("download_bytes_per_s"));
  if (options_.consent) settings_.consent = *options_.consent;
  if (options_.policy) settings_.policy = *options_.policy;
  if (options_.limits) limits_ = *options_.limits;
  SHOAL_ASSIGN(next_change_, number("next_change"));
  next_change_ = std::max<std::uint64_t>(next_change_, 1);
  return {};
}

Result<void> Agent::load_installs() {
  SHOAL_ASSIGN(auto rows, context_.store.installs());
  for (auto& row : rows) {
    auto id = row.id;
    installs_[id].row = std::move(row);
  }
  return {};
}

Result<void> Agent::load_changes() {
  SHOAL_ASSIGN(auto rows, context_.store.changes());
  for (const auto& row : rows) {
    auto record = from_row(row);
    if (!record) {
      context_.log.warning("agent", "{}", record.error().describe());
      continue;
    }
    auto number = number_of(row.id);
    next_change_ = std::max(next_change_, number + 1);
    auto& state = record->view.state;
    if (state == ChangeState::running || state == ChangeState::waiting) state = ChangeState::queued;
    changes_[number] = make_runner(context_, *this, std::move(*record));
  }
  return {};
}

void Agent::load_details(std::int64_t install) {
  struct Details {
    std::uint64_t size = 0;
    content::Launch launch;
  };
  run_job<Details>(
      context_,
      [&store = context_.store, install]() -> Result<Details> {
        SHOAL_ASSIGN(auto json, store.document(install, "release.json"));
        Details details;
        if (!json) return details;
        SHOAL_ASSIGN(auto release, content::parse_release(*json));
        for (const auto& component : release.components) details.size += component.total_bytes();
        details.launch = std::move(release.launch);
        return details;
      },
      [this, install](Result<Details> details) {
        auto found = installs_.find(install);
        if (!details || found == installs_.end()) return;
        found->second.size_bytes = details->size;
        found->second.launch = std::move(details->launch);
        emit("install", std::to_string(install));
      });
}

void Agent::shut_down(std::function<void()> done) {
  if (!shutting_down_) {
    shutting_down_ = true;
    context_.timers.cancel(refresh_timer_);
    context_.timers.cancel(limits_timer_);
    for (auto& [number, change] : changes_)
      if (change->active()) (void)change->stop(StopReason::shutdown);  // never refused
    seeding_.stop_all();
  }
  bool active = std::ranges::any_of(changes_, [](auto& entry) { return entry.second->active(); });
  if (!active) return done();
  context_.timers.after(kShutdownPoll, [this, done = std::move(done)] { shut_down(done); });
}

Settings Agent::settings() const { return settings_; }

Result<std::shared_ptr<RepositoryClient>> Agent::repository(std::int64_t id) {
  auto found = repositories_.find(id);
  if (found != repositories_.end()) return found->second.client;
  return fail(ErrorKind::not_found, fmt::format("no repository {}", id),
              "'shoal repo list' shows the repositories.");
}

Result<const BeneathDir*> Agent::library(const std::string& path) {
  auto& entry = libraries_[path];
  if (!entry) {
    auto opened = BeneathDir::open(path);
    if (!opened) {
      libraries_.erase(path);
      return fail(opened.error());
    }
    entry = std::make_unique<BeneathDir>(std::move(*opened));
  }
  return entry.get();
}

Result<store::InstallRow> Agent::install_row(std::int64_t id) {
  auto found = installs_.find(id);
  if (found != installs_.end()) return found->second.row;
  return fail(ErrorKind::not_found, fmt::format("no install {}", id));
}

void Agent::stop_seeding(std::int64_t install) { seeding_.stop(install); }

void Agent::start_seeding(std::int64_t install, std::vector<std::shared_ptr<Artifact>> artifacts) {
  auto found = installs_.find(install);
  if (shutting_down_ || found == installs_.end()) return;
  const auto& row = found->second.row;
  auto folder = library(row.library);
  if (!folder)
    return context_.log.warning("agent", "cannot seed {}: {}", row.product,
                                folder.error().describe());
  if (!artifacts.empty())
    seeding_.adopt(install, std::move(artifacts), settings_.consent);
  else if (!row.version.empty())
    seeding_.start(row, **folder, settings_.consent);
  else
    return;
  seeding_.start_deltas(row, **folder);
}

void Agent::give_up_kept_deltas(const BeneathDir& library) { seeding_.give_up_deltas(library); }

void Agent::review_kept_deltas() { seeding_.review_deltas(); }

std::uint64_t Agent::claimed_bytes(const BeneathDir& library, const std::string& change) {
  std::uint64_t bytes = 0;
  for (const auto& [number, other] : changes_)
    if (other->active() && other->record().view.id != change)
      bytes += other->claimed_bytes(library);
  return bytes;
}

void Agent::changed(const ChangeRecord& record, bool durable) {
  if (durable) {
    auto stored = context_.store.put_change(to_row(record));
    if (!stored) context_.log.error("agent", "{}", stored.error().describe());
  }
  emit("change", record.view.id);
  tell_dropped_mirrors();
  if (durable && record.ended()) change_ended(record);
  if (durable) context_.main.post([this] { pump(); });
  if (std::exchange(order_posted_, true)) return;
  context_.main.post([this] { let_foreground_go_first(); });
}

void Agent::change_ended(const ChangeRecord& record) {
  auto& sum = ended_bytes_;
  sum.edge += record.view.bytes.edge;
  sum.peers += record.view.bytes.peers;
  auto rows = context_.store.installs();
  if (!rows) return context_.log.error("agent", "{}", rows.error().describe());
  auto row = std::ranges::find(*rows, record.install, &store::InstallRow::id);
  bool never_installed =
      row != rows->end() && row->version.empty() && record.view.state != ChangeState::done;
  if (never_installed) {
    auto removed = context_.store.remove_install(record.install);
    if (!removed) context_.log.error("agent", "{}", removed.error().describe());
  }
  if (row == rows->end() || never_installed) {
    seeding_.stop(record.install);
    installs_.erase(record.install);
  } else {
    installs_[record.install].row = *row;
    load_details(record.install);
    // A newer version than was known may just have been installed: "available" follows.
    if (record.view.version != record.view.from_version)
      refresh(row->repository, [](const auto&) {});
  }
  emit("install", std::to_string(record.install));
}

// When one is, and when it is asked again: by the progress of the change that fetches, not with the
// next refresh.
void Agent::tell_dropped_mirrors() {
  for (const auto& mirror : context_.edge.mirrors()) {
    const std::pair key(mirror.repository, mirror.url);
    const bool is_news =
        mirror.dropped ? told_dropped_.insert(key).second : told_dropped_.erase(key) > 0;
    if (!is_news) continue;
    if (repositories_.contains(mirror.repository))
      emit("repository", std::to_string(mirror.repository));
  }
}

void Agent::pump() {
  if (shutting_down_) return;
  // Those in the background take no place from one in the foreground.
  std::size_t running = 0;
  for (const auto& [number, change] : changes_)
    running += change->active() && change->record().view.priority == Priority::foreground ? 1 : 0;
  for (auto priority : {Priority::foreground, Priority::background}) {
    if (priority == Priority::background)
      running = static_cast<std::size_t>(std::ranges::count_if(
          changes_, [](const auto& entry) { return entry.second->active(); }));
    for (auto& [number, change] : changes_) {
      if (running >= kMaxRunningChanges) break;
      const auto& view = change->record().view;
      if (change->active() || view.state != ChangeState::queued || view.priority != priority)
        continue;
      ++running;
      change->start();
    }
  }
}

void Agent::let_foreground_go_first() {
  order_posted_ = false;
  if (shutting_down_) return;
  bool busy = std::ranges::any_of(changes_, [](const auto& entry) {
    const auto& view = entry.second->record().view;
    return entry.second->active() && view.priority == Priority::foreground &&
           view.state == ChangeState::running && entry.second->fetching();
  });
  for (auto& [number, change] : changes_)
    if (change->active() && change->record().view.priority == Priority::background)
      change->set_yielding(busy);
}

void Agent::arm_refresh(std::chrono::milliseconds delay) {
  refresh_timer_ = context_.timers.after(delay, [this] {
    for (const auto& [id, entry] : repositories_) refresh(id, [](const auto&) {});
    seeding_.review_deltas();
    arm_refresh(kRefreshEvery);
  });
}

void Agent::refresh(std::int64_t id, AfterRefresh then) {
  auto found = repositories_.find(id);
  if (found == repositories_.end()) return;
  found->second.waiting.push_back(std::move(then));
  if (!found->second.refreshing) begin_refresh(id);
}

void Agent::begin_refresh(std::int64_t id) {
  auto& entry = repositories_.at(id);
  entry.refreshing = true;
  run_job<RepositoryContents>(
      context_, [client = entry.client] { return client->contents(); },
      [this, id, waiting = std::exchange(entry.waiting, {})](Result<RepositoryContents> contents) {
        std::optional<Error> error;
        auto found = repositories_.find(id);
        if (found != repositories_.end()) {  // else it was removed meanwhile
          if (!contents) error = contents.error();
          found->second.refreshing = false;
          refreshed(id, std::move(contents));
          if (!found->second.waiting.empty()) begin_refresh(id);
        }
        for (const auto& then : waiting) then(error);
      });
}

void Agent::refreshed(std::int64_t id, Result<RepositoryContents> contents) {
  auto found = repositories_.find(id);
  if (found == repositories_.end()) return;
  auto& entry = found->second;
  if (contents) {
    entry.contents = std::move(*contents);
    entry.refreshed_at = context_.clock.now();
    entry.last_error.reset();
  } else {
    entry.last_error = contents.error();
    context_.log.warning("agent", "{}: {}", entry.client->row().url, contents.error().describe());
  }
  emit("repository", std::to_string(id));
}

void Agent::apply_limits() {
  context_.swarm.set_limits(limits_);
  std::uint64_t peers = 0;
  for (const auto& [number, change] : changes_)
    if (change->active()) peers += change->record().view.peers_bytes_per_s;
  std::uint64_t limit = limits_.download_bytes_per_s;
  // What peers already take of the limit is not the edge's; a tenth keeps it able to step in.
  if (limit != 0) limit = std::max(limit / 10, limit - std::min(limit, peers));
  context_.edge.set_download_limit(limit);
}

void Agent::arm_limits() {
  if (limits_.download_bytes_per_s == 0) return;
  limits_timer_ = context_.timers.after(kLimitsEvery, [this] {
    apply_limits();
    arm_limits();
  });
}

void Agent::emit(std::string resource, std::string id) {
  if (listener_) listener_({std::move(resource), std::move(id)});
}

}  // namespace shoal::agent
