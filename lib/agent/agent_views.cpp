// What the agent tells about itself, its repositories and installs, and its settings.
#include <fmt/core.h>

#include <algorithm>

#include "agent/agent.hpp"
#include "base/words.hpp"

namespace shoal::agent {
namespace {

constexpr std::size_t kMaxUrlBytes = 2048;
constexpr std::size_t kMaxRepositories = 100;

Result<std::string> check_url(const std::string& url) {
  bool http = url.starts_with("http://") || url.starts_with("https://");
  bool printable = std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f; });
  if (!http || !printable || url.size() > kMaxUrlBytes)
    return fail(ErrorKind::invalid_request,
                fmt::format("'{}' is not an http or https address",
                            printable ? url.substr(0, 200) : "the given text"));
  return url.ends_with('/') ? url.substr(0, url.size() - 1) : url;
}

// Of a repository that nobody has used yet, what was given is more likely to be wrong than what is
// published.
Error of_adding(Error error) {
  if (error.kind == ErrorKind::source_unavailable)
    error.remedy = "Check the repository's address; if it is right, try again later.";
  if (error.kind == ErrorKind::signature_invalid)
    error.remedy = "Check that this root.json is of this repository; if it is, trust neither.";
  return error;
}

}  // namespace

SystemView Agent::system() const {
  SystemView view;
  view.version = options_.version;
  view.state_dir = context_.state_dir.string();
  for (const auto& path : options_.libraries) view.libraries.push_back(path.string());
  view.consent = settings_.consent;
  view.limits = limits_;
  view.policy = settings_.policy;
  view.listen = options_.listen;
  view.edge_bytes = ended_bytes_.edge;
  view.peers_bytes = ended_bytes_.peers;
  for (const auto& [number, change] : changes_) {
    if (change->record().ended()) continue;  // counted already
    view.edge_bytes += change->record().view.bytes.edge;
    view.peers_bytes += change->record().view.bytes.peers;
  }
  for (const auto& [id, entry] : installs_)
    view.uploaded_bytes += seeding_.totals(id).uploaded_bytes;
  view.uptime_s = static_cast<std::uint64_t>((context_.clock.steady() - started_).count() / 1000);
  return view;
}

Result<void> Agent::configure(const ConfigUpdate& update) {
  auto& store = context_.store;
  if (update.consent) {
    auto word = word_of(kConsentWords<transfer::Consent>, *update.consent);
    SHOAL_TRY(store.set_setting("consent", std::string(word)));
    settings_.consent = *update.consent;
  }
  if (update.policy) {
    auto choice = *update.policy;
    auto word = choice ? word_of(kPolicyWords<transfer::Policy>, *choice) : kPublishersPolicyWord;
    SHOAL_TRY(store.set_setting("policy", std::string(word)));
    settings_.policy = *update.policy;
  }
  if (update.upload_bytes_per_s) {
    SHOAL_TRY(store.set_setting("upload_bytes_per_s", std::to_string(*update.upload_bytes_per_s)));
    limits_.upload_bytes_per_s = *update.upload_bytes_per_s;
  }
  if (update.download_bytes_per_s) {
    SHOAL_TRY(
        store.set_setting("download_bytes_per_s", std::to_string(*update.download_bytes_per_s)));
    limits_.download_bytes_per_s = *update.download_bytes_per_s;
  }
  // Less consent takes effect in the session before anything else is told.
  context_.swarm.set_consent(settings_.consent);
  apply_limits();
  context_.timers.cancel(limits_timer_);
  arm_limits();
  seeding_.set_consent(settings_.consent);
  for (auto& [number, change] : changes_)
    if (change->active()) change->settings_changed();
  emit("config", "");
  if (update.policy)
    for (const auto& [id, entry] : repositories_) emit("repository", std::to_string(id));
  return {};
}

std::vector<RepositoryView> Agent::repositories() const {
  std::vector<RepositoryView> views;
  auto mirrors = context_.edge.mirrors();
  for (const auto& [id, entry] : repositories_) {
    RepositoryView view;
    view.id = id;
    view.url = entry.client->row().url;
    view.added_at = entry.client->row().added_at;
    view.refreshed_at = entry.refreshed_at;
    view.last_error = entry.last_error;
    view.problems = entry.contents.problems;
    const auto& info = entry.contents.info;
    view.trackers = info.trackers;
    view.dht = info.dht && settings_.dht;
    view.policy_of_machine = settings_.policy.has_value();
    view.policy = settings_.policy;
    if (!view.policy && entry.refreshed_at) view.policy = to_transfer(info.policy);
    auto urls = info.mirrors;
    if (urls.empty()) urls.push_back(view.url);
    for (const auto& url : urls) {
      auto known = std::ranges::find_if(mirrors, [&](const transfer::MirrorStatus& status) {
        return status.repository == id && status.url == url;
      });
      transfer::MirrorStatus fresh;
      fresh.repository = id;
      fresh.url = url;
      view.mirrors.push_back(known != mirrors.end() ? *known : fresh);
    }
    views.push_back(std::move(view));
  }
  return views;
}

void Agent::add_repository(const std::string& url, const std::string& root_json,
                           Reply<RepositoryView> reply) {
  auto checked = check_url(url);
  if (!checked) return reply(fail(checked.error()));
  for (const auto& [id, entry] : repositories_)
    if (entry.client->row().url == *checked)
      return reply(fail(ErrorKind::conflict, fmt::format("{} is repository {} already", url, id),
                        "'shoal repo remove' removes it, if its root is to be another."));
  if (repositories_.size() >= kMaxRepositories)
    return reply(fail(ErrorKind::conflict,
                      fmt::format("there are {} repositories already", repositories_.size())));
  store::RepositoryRow row{0, *checked, context_.clock.now()};
  auto id = context_.store.add_repository(row);
  if (!id) return reply(fail(id.error()));
  row.id = *id;
  auto client = std::make_shared<RepositoryClient>(context_, row);
  client->clear();  // the state of another database may lie under this id
  run_job<RepositoryContents>(
      context_,
      [client, root_json]() -> Result<RepositoryContents> {
        if (auto trusted = client->trust_root(as_bytes(root_json)); !trusted)
          return fail(trusted.error().kind,
                      "the given root cannot be used: " + trusted.error().message,
                      "Give the repository's root.json, as its publisher gave it to you.");
        return client->contents();
      },
      [this, client, reply = std::move(reply)](Result<RepositoryContents> contents) {
        auto added = client->row().id;
        if (!contents) {
          (void)context_.store.remove_repository(added);  // nothing uses it yet
          client->forget();
          return reply(fail(of_adding(std::move(contents.error()))));
        }
        repositories_[added].client = client;
        refreshed(added, std::move(contents));
        for (auto& view : repositories())
          if (view.id == added) return reply(std::move(view));
      });
}

Result<void> Agent::remove_repository(std::int64_t id) {
  SHOAL_ASSIGN(auto client, repository(id));
  for (const auto& [install, entry] : installs_)
    if (entry.row.repository == id)
      return fail(ErrorKind::conflict, fmt::format("'{}' comes from it", entry.row.product),
                  "Uninstall that first.");
  SHOAL_TRY(context_.store.remove_repository(id));
  client->forget();
  auto removed = repositories_.extract(id);
  for (const auto& then : removed.mapped().waiting) then(std::nullopt);
  emit("repository", std::to_string(id));
  return {};
}

void Agent::products(Reply<std::vector<ProductView>> reply) {
  struct Gathering {
    std::size_t open = 0;
    std::optional<Error> error;
    Reply<std::vector<ProductView>> reply;
  };
  auto gathering = std::make_shared<Gathering>();
  gathering->open = repositories_.size();
  gathering->reply = std::move(reply);
  auto finish = [this, gathering] {
    std::vector<ProductView> views;
    for (const auto& [id, entry] : repositories_)
      for (const auto& [product, channels] : entry.contents.products)
        views.push_back({product, id, channels.channels, channels.versions});
    if (views.empty() && gathering->error) return gathering->reply(fail(*gathering->error));
    gathering->reply(std::move(views));
  };
  if (repositories_.empty()) return finish();
  for (const auto& [id, entry] : repositories_)
    refresh(id, [gathering, finish](const std::optional<Error>& error) {
      if (error) gathering->error = error;
      if (--gathering->open == 0) finish();
    });
}

std::vector<InstallView> Agent::installs() const {
  std::vector<InstallView> views;
  for (const auto& [id, entry] : installs_) {
    InstallView view;
    view.id = id;
    view.product = entry.row.product;
    view.channel = entry.row.channel;
    view.version = entry.row.version;
    view.library = entry.row.library;
    view.path = (std::filesystem::path(entry.row.library) / entry.row.folder).string();
    view.size_bytes = entry.size_bytes;
    view.launch_executable = entry.launch.executable;
    view.launch_arguments = entry.launch.arguments;
    view.updated_at = entry.row.updated_at;
    auto totals = seeding_.totals(id);
    view.seeding = totals.seeding;
    view.uploaded_bytes = totals.uploaded_bytes;
    view.peers_connected = totals.peers;
    view.kept_delta_bytes = totals.kept_delta_bytes;
    if (const auto* change = unfinished(id)) view.current_change = change->record().view.id;
    if (auto repository = repositories_.find(entry.row.repository);
        repository != repositories_.end())
      for (const auto& [product, channels] : repository->second.contents.products)
        if (auto found = channels.channels.find(entry.row.channel);
            product == entry.row.product && found != channels.channels.end())
          view.available_version = found->second;
    views.push_back(std::move(view));
  }
  return views;
}

void Agent::set_listener(std::function<void(const Event&)> listener) {
  listener_ = std::move(listener);
}

}  // namespace shoal::agent
