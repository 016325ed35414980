// Target release + present state -> plan. A repair is an update from a wounded tree to the same
// release; an install is an update from nothing.
#include "agent/preparation.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace shoal::agent {
namespace {

Result<RelativePath> folder_of(const store::InstallRow& row) {
  return RelativePath::parse(row.folder);
}

Result<Preparation> prepare_repair(const Context& context, const PreparationInput& input,
                                   const StopToken& stop) {
  Preparation prepared;
  SHOAL_ASSIGN(auto record, load_record(context.store, input.row.id));
  SHOAL_ASSIGN(auto folder, folder_of(input.row));
  SHOAL_ASSIGN(auto report,
               install::verify(*input.library, folder, record.installed(), context.workers, stop));
  record.stamps = report.stamps;
  prepared.notes = notes_of(report);
  prepared.release = record.release;
  prepared.old = std::move(record);
  return prepared;
}

}  // namespace

std::string staging_name(std::string_view product, std::string_view version) {
  // The digest tells apart what the shortened names do not.
  auto digest = sha256(as_bytes(fmt::format("{}/{}", product, version))).hex();
  return fmt::format("{}-{}-{}", product.substr(0, 24), version.substr(0, 24), digest.substr(0, 8));
}

std::vector<FileNote> notes_of(const install::VerifyReport& report) {
  std::vector<FileNote> notes;
  for (bool expected : {false, true}) {
    for (const auto& wound : report.wounds) {
      if (wound.expected != expected || notes.size() == kMaxNotes) continue;
      notes.push_back({wound.path.text(),
                       expected ? "changed_by_user" : std::string(install::name_of(wound.kind))});
    }
  }
  return notes;
}

Result<void> finish_open_commits(
    const Context& context, std::int64_t install,
    const std::function<Result<const BeneathDir*>(const std::string&)>& library_of,
    const std::function<void(const CommitRecord&)>& finished) {
  SHOAL_ASSIGN(auto open, context.store.open_commits());
  for (const auto& commit : open) {
    if (install != 0 && commit.install != install) continue;
    SHOAL_ASSIGN(auto record, parse_commit_record(commit.journal));
    SHOAL_ASSIGN(auto library, library_of(record.row.library));
    SHOAL_TRY(carry_out(context.store, *library, record, context.step));
    context.log.info("agent", "finished the interrupted commit of {} {}", record.row.product,
                     record.row.version);
    if (finished) finished(record);
  }
  return {};
}

Result<Preparation> prepare(const Context& context, const PreparationInput& input,
                            const StopToken& stop) {
  if (input.row.id != 0)
    SHOAL_TRY(finish_open_commits(
        context, input.row.id,
        [&](const std::string&) -> Result<const BeneathDir*> { return input.library; }, {}));
  if (input.kind == ChangeKind::repair) return prepare_repair(context, input, stop);
  Preparation prepared;
  auto wanted = input.wanted;
  if (!input.row.version.empty()) {
    SHOAL_ASSIGN(auto record, load_record(context.store, input.row.id));
    if (wanted.components.empty() && !record.all_components)
      for (const auto& component : record.release.components)
        wanted.components.push_back(component.target.component->name);
    wanted.installed = record.release.version;
    prepared.old = std::move(record);
  }
  SHOAL_TRY(stop.check());
  SHOAL_ASSIGN(prepared.release, input.client->load(wanted));
  return prepared;
}

Result<install::Plan> plan_between(const Preparation& preparation, const PreparationInput& input,
                                   const StopToken& stop) {
  SHOAL_ASSIGN(auto folder, folder_of(input.row));
  std::vector<install::InstalledComponent> installed;
  if (preparation.old) installed = preparation.old->installed();
  std::vector<install::TargetComponent> targets;
  targets.reserve(preparation.release.components.size());
  for (const auto& component : preparation.release.components) targets.push_back(component.target);
  return install::make_plan(*input.library, std::move(folder), std::move(installed),
                            std::move(targets), stop,
                            staging_name(preparation.release.product, preparation.release.version));
}

PlanView describe_plan(const install::Plan& plan, const Preparation& preparation, ChangeKind kind) {
  PlanView view;
  view.kind = kind;
  view.product = preparation.release.product;
  view.version = preparation.release.version;
  if (preparation.old) view.from_version = preparation.old->release.version;
  view.fetch_bytes = plan.totals.fetch_bytes;
  view.edge_bytes = plan.totals.edge_bytes;
  view.reuse_bytes = plan.totals.reuse_bytes;
  view.delta_bytes = plan.totals.delta_bytes;
  view.write_bytes = plan.totals.write_bytes;
  view.peak_extra_bytes = plan.totals.peak_extra_bytes;
  view.final_bytes = plan.totals.final_bytes;
  view.free_bytes = plan.room_bytes;
  for (const auto& path : plan.moved_aside) view.moved_aside.push_back(path.text());
  view.nothing_to_do = plan.nothing_to_do && view.version == view.from_version;
  if (plan.nothing_to_do) return view;
  for (const auto& component : plan.components)
    view.components.push_back({component.target.component->name, component.choice});
  return view;
}

}  // namespace shoal::agent
