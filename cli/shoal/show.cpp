// Tables for lists, lines for single things. All text of the daemon is sanitised, by table() or
// here.
#include "cli/shoal/show.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "cli/shoal/progress.hpp"
#include "cli/shoal/text.hpp"
#include "cli/usage/sanitised.hpp"

namespace shoal::cli {
namespace {

constexpr std::string_view kDeltaNotUsed = "delta_not_used";  // a note about the change as a whole

std::string limit(std::uint64_t bytes_per_s) {
  return bytes_per_s == 0 ? "no limit" : human_rate(bytes_per_s);
}

std::string policy_text(protocol::PolicyChoice choice) {
  if (choice == protocol::PolicyChoice::publisher)
    return "the publisher's ('shoal repo list' shows it)";
  return std::string(name_of(choice));
}

std::string state_of(const protocol::Install& install) {
  if (!install.current_change.empty()) return "change " + install.current_change;
  if (install.update_available()) return install.available_version + " available";
  return install.seeding ? "seeding" : "";
}

std::string state_of(const protocol::Mirror& mirror) {
  if (mirror.dropped) return "dropped: it served wrong bytes";
  return mirror.last_error.empty() ? "ok" : mirror.last_error;
}

std::string state_of(const protocol::Repository& repository) {
  if (repository.last_error) return "failing";
  if (repository.problems.empty()) return "ok";
  return fmt::format("{} unusable", repository.problems.size() == 1
                                        ? "1 product"
                                        : fmt::format("{} products", repository.problems.size()));
}

}  // namespace

std::string show(const protocol::Repositories& repositories) {
  if (repositories.repositories.empty())
    return "No repositories. Add one with 'shoal repo add URL --root FILE'.\n";
  std::vector<std::vector<std::string>> rows = {{"ID", "URL", "REFRESHED", "STATE"}};
  for (const auto& repository : repositories.repositories) {
    rows.push_back({std::to_string(repository.id), repository.url,
                    repository.refreshed_at ? format_utc(*repository.refreshed_at) : "never",
                    state_of(repository)});
    for (const auto& mirror : repository.mirrors)
      rows.push_back({"", "  mirror " + mirror.url, human_bytes(mirror.bytes), state_of(mirror)});
    for (const auto& tracker : repository.trackers) rows.push_back({"", "  tracker " + tracker});
    if (repository.policy)
      rows.push_back({"", fmt::format("  policy {} ({})", name_of(*repository.policy),
                                      repository.policy_source == protocol::PolicySource::machine
                                          ? "this machine's choice"
                                          : "the publisher's")});
    if (repository.dht) rows.push_back({"", "  uses the public DHT"});
  }
  std::string text = table(rows);
  for (const auto& repository : repositories.repositories) text += show_problems(repository);
  return text;
}

std::string show_problems(const protocol::Repository& repository) {
  std::string text;
  auto add = [&](const std::string& what, const Error& error) {
    text += fmt::format("{}: {}\n  {}\n", sanitised(what), sanitised(error.message),
                        sanitised(error.remedy_or_default()));
  };
  if (repository.last_error)
    add(fmt::format("repository {}", repository.id), *repository.last_error);
  for (const auto& problem : repository.problems)
    add(fmt::format("product '{}' cannot be used", problem.product), problem.error);
  return text;
}

std::string show(const protocol::Products& products) {
  if (products.products.empty()) return "No products. Is there a repository ('shoal repo list')?\n";
  std::vector<std::vector<std::string>> rows = {{"PRODUCT", "CHANNELS", "VERSIONS"}};
  for (const auto& product : products.products) {
    std::string channels, versions;
    for (const auto& [name, version] : product.channels)
      channels += fmt::format("{}{}={}", channels.empty() ? "" : ", ", name, version);
    for (const auto& version : product.versions)
      versions += (versions.empty() ? "" : ", ") + version;
    rows.push_back({product.product, channels, versions});
  }
  return table(rows);
}

std::string show(const protocol::Installs& installs) {
  if (installs.installs.empty()) return "Nothing is installed.\n";
  std::vector<std::vector<std::string>> rows = {
      {"PRODUCT", "VERSION", "CHANNEL", "SIZE", "STATE", "PATH"}};
  for (const auto& install : installs.installs)
    rows.push_back({install.product, install.version,
                    install.channel.empty() ? "(pinned)" : install.channel,
                    human_bytes(install.size_bytes), state_of(install), install.path});
  return table(rows);
}

std::string show(const protocol::Plan& plan) {
  std::string title =
      fmt::format("{} {} {}", name_of(plan.kind), sanitised(plan.product), sanitised(plan.version));
  if (!plan.from_version.empty()) title += " (from " + sanitised(plan.from_version) + ")";
  if (plan.nothing_to_do) return title + ": nothing to do\n";
  std::string text = title + ":\n";
  std::vector<std::vector<std::string>> rows = {
      {"  fetch", human_bytes(plan.fetch_bytes)},
      {"    from the edge alone", human_bytes(plan.edge_bytes) + ", compressed"},
      {"  reuse from this disk", human_bytes(plan.reuse_bytes)}};
  if (plan.delta_bytes > 0) rows.push_back({"  make by delta", human_bytes(plan.delta_bytes)});
  rows.push_back({"  write", human_bytes(plan.write_bytes)});
  rows.push_back({"  disk space meanwhile", human_bytes(plan.peak_extra_bytes) + " of " +
                                                human_bytes(plan.free_bytes) + " free"});
  rows.push_back({"  size afterwards", human_bytes(plan.final_bytes)});
  text += table(rows);
  for (const auto& component : plan.components)
    text += "  " + sanitised(component.component) + ": " + sanitised(component.reason) + "\n";
  for (const auto& path : plan.moved_aside)
    text += "  you changed " + sanitised(path) + ": it would be moved aside\n";
  return text;
}

std::string show(const protocol::Config& config) {
  return table({{"consent", std::string(name_of(config.consent))},
                {"policy", policy_text(config.policy)},
                {"upload", limit(config.upload_bytes_per_s)},
                {"download", limit(config.download_bytes_per_s)}});
}

std::string show(const protocol::Status& status) {
  const auto& system = status.system;
  std::string libraries;
  for (const auto& library : system.libraries)
    libraries += (libraries.empty() ? "" : ", ") + library;
  std::string text = table({{"shoald", system.version + ", up " + human_duration(system.uptime_s)},
                            {"libraries", libraries},
                            {"peers at", system.listen},
                            {"received", human_bytes(system.edge_bytes) + " from the edge, " +
                                             human_bytes(system.peers_bytes) + " from peers"},
                            {"given", human_bytes(system.uploaded_bytes) + " to peers"},
                            {"consent", std::string(name_of(system.config.consent))},
                            {"policy", policy_text(system.config.policy)},
                            {"upload", limit(system.config.upload_bytes_per_s)},
                            {"download", limit(system.config.download_bytes_per_s)}});
  for (const auto& repository : status.repositories) {
    for (const auto& mirror : repository.mirrors)
      text +=
          fmt::format("mirror     {}: {}\n", sanitised(mirror.url), sanitised(state_of(mirror)));
    text += show_problems(repository);
  }
  for (const auto& change : status.changes)
    text += fmt::format("change {}  {}\n", sanitised(change.id), plain_line(change));
  if (status.changes.empty()) text += "no change is running\n";
  return text;
}

std::string show_notes(const protocol::Change& change) {
  std::string text;
  for (const auto& note : change.notes) {
    if (note.path.empty()) {  // about the change as a whole
      if (note.note.starts_with(kDeltaNotUsed))
        text += "  a delta was not used" + sanitised(note.note.substr(kDeltaNotUsed.size())) + "\n";
      continue;
    }
    std::string words = sanitised(note.note);
    std::ranges::replace(words, '_', ' ');  // "wrong_bytes": the API's, for programs
    text += fmt::format("  {}: {}\n", sanitised(note.path), words);
  }
  if (change.notes.size() < change.notes_total)
    text += fmt::format("  … and {} more\n", change.notes_total - change.notes.size());
  return text;
}

std::string show(const Error& error) {
  return fmt::format("shoal: {}\n{}\n", sanitised(error.message),
                     sanitised(error.remedy_or_default()));
}

}  // namespace shoal::cli
