// A delta makes the files that neither old tree nor new one holds twice; which those are, both its
// sides know from the manifests. Of them, those that this disk has under no name are made by it.
#include "delta/tree_match.hpp"
#include "install/old_tree.hpp"

namespace shoal::install {
namespace {

// The component that a delta leads from.
const InstalledComponent* installed_as(const Plan& plan, const std::string& name,
                                       std::uint32_t& index) {
  for (index = 0; index < plan.installed.size(); ++index)
    if (plan.installed[index].component->name == name) return &plan.installed[index];
  return nullptr;
}

// What stood at that path in the old version is there no more, or with other bytes: much of the new
// file would be made from it.
bool has_lost_its_old_self(const RelativePath& path, std::uint32_t component, const OldTree& old) {
  auto found = old.by_path.find(path.text());
  return found != old.by_path.end() && found->second.component == component &&
         old.at(found->second).state != OldState::intact;
}

}  // namespace

void find_by_delta(Plan& plan, const OldTree& old) {
  using Kind = delta::Origin::Kind;
  for (auto& component : plan.components) {
    const auto& target = component.target;
    if (!target.delta) continue;
    std::uint32_t index = 0;
    const auto* installed = installed_as(plan, target.component->name, index);
    if (installed == nullptr) continue;
    const auto& files = target.component->files;
    auto origins = delta::match_trees(installed->component->files, files);
    for (std::size_t f = 0; f < files.size(); ++f) {
      auto& file = component.files[f];
      bool is_made = origins[f].kind == Kind::made || origins[f].kind == Kind::new_file;
      bool is_wanted = file.origin == FileOrigin::assemble || file.origin == FileOrigin::leave;
      file.by_delta = is_made && is_wanted && !has_lost_its_old_self(files[f].path, index, old);
    }
  }
}

}  // namespace shoal::install
