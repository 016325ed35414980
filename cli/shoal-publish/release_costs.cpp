// One line for each earlier version; below a delta the files that cost most in it.
#include "release_costs.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "terminal.hpp"

namespace shoal::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kShownFiles = 5;

}  // namespace

json file_costs_json(const std::vector<publish::CostlyFile>& files) {
  json out = json::array();
  for (const auto& file : files)
    out.push_back({{"path", file.path},
                   {"bytes", file.cost.new_bytes},
                   {"delta_bytes", file.cost.delta_bytes},
                   {"covered_bytes", file.cost.covered_bytes},
                   {"moved_bytes", file.cost.moved_bytes},
                   {"reason", publish::reason_for(file.cost)}});
  return out;
}

void print_file_costs(const std::vector<publish::CostlyFile>& files) {
  for (std::size_t i = 0; i < files.size() && i < kShownFiles; ++i)
    fmt::print("  {:>9}  {}: {}\n", human_bytes(files[i].cost.delta_bytes), files[i].path,
               publish::reason_for(files[i].cost));
}

json costs_json(const std::vector<publish::UpdateCost>& updates) {
  json out = json::array();
  for (const auto& update : updates) {
    json entry = {{"from", update.from}, {"recipes_bytes", update.recipes_bytes}};
    if (update.delta_bytes) {
      entry["delta_bytes"] = *update.delta_bytes;
      entry["delta_dropped"] = update.dropped;
      entry["files"] = file_costs_json(update.files);
    }
    out.push_back(std::move(entry));
  }
  return out;
}

void print_costs(std::uint64_t install_bytes, const std::vector<publish::UpdateCost>& updates) {
  fmt::print("From the edge a player fetches: {} to install.\n", human_bytes(install_bytes));
  for (const auto& update : updates) {
    const auto recipes = human_bytes(update.recipes_bytes);
    if (!update.delta_bytes)
      fmt::print("To update from {}: {} by recipes.\n", update.from, recipes);
    else if (update.dropped)
      fmt::print(
          "To update from {}: {} by recipes; a delta of {} would not pay, and is left out.\n",
          update.from, recipes, human_bytes(*update.delta_bytes));
    else
      fmt::print("To update from {}: {} by delta, {} by recipes.\n", update.from,
                 human_bytes(*update.delta_bytes), recipes);
    if (update.delta_bytes) print_file_costs(update.files);
  }
}

}  // namespace shoal::cli
