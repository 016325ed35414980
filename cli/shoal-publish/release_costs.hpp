// What a release costs players who update, for people and for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "publish/repository.hpp"

namespace shoal::cli {

nlohmann::json costs_json(const std::vector<publish::UpdateCost>& updates);
// `install_bytes`: what a fresh install fetches from the edge.
void print_costs(std::uint64_t install_bytes, const std::vector<publish::UpdateCost>& updates);

nlohmann::json file_costs_json(const std::vector<publish::CostlyFile>& files);
// The first few, each with its reason.
void print_file_costs(const std::vector<publish::CostlyFile>& files);

}  // namespace shoal::cli
