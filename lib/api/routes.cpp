// Every route of the local API, one line each; openapi.yaml describes the same ones (a test
// compares them).
#include "api/routes.hpp"

#include <array>
#include <optional>

#include "api/handlers.hpp"

namespace shoal::api {
namespace {

using enum Permission;

constexpr std::array kRoutes = {
    Route{"GET", "/v1/openapi.yaml", read, &Handlers::get_openapi},
    Route{"GET", "/v1/system", read, &Handlers::get_system},
    Route{"GET", "/v1/config", read, &Handlers::get_config},
    Route{"PATCH", "/v1/config", act, &Handlers::patch_config},
    Route{"GET", "/v1/repositories", read, &Handlers::get_repositories},
    Route{"POST", "/v1/repositories", act, &Handlers::post_repository},
    Route{"DELETE", "/v1/repositories/{id}", act, &Handlers::delete_repository},
    Route{"GET", "/v1/products", read, &Handlers::get_products},
    Route{"GET", "/v1/installs", read, &Handlers::get_installs},
    Route{"GET", "/v1/installs/{id}", read, &Handlers::get_install},
    Route{"POST", "/v1/plans", act, &Handlers::post_plan},
    Route{"GET", "/v1/changes", read, &Handlers::get_changes},
    Route{"POST", "/v1/changes", act, &Handlers::post_change},
    Route{"GET", "/v1/changes/{id}", read, &Handlers::get_change},
    Route{"POST", "/v1/changes/{id}/pause", act, &Handlers::pause_change},
    Route{"POST", "/v1/changes/{id}/resume", act, &Handlers::resume_change},
    Route{"POST", "/v1/changes/{id}/cancel", act, &Handlers::cancel_change},
    Route{"GET", "/v1/events", read, &Handlers::get_events},
};

// Takes the first segment off a path: "/a/b" gives "a" and leaves "/b".
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  std::size_t end = std::min(path.find('/'), path.size());
  std::string_view segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

// The {id} of the path ("" for a pattern without one), or nothing when it does not match.
std::optional<std::string> match(std::string_view pattern, std::string_view path) {
  std::string id;
  while (pattern.starts_with('/') && path.starts_with('/')) {
    std::string_view expected = take_segment(pattern);
    std::string_view found = take_segment(path);
    if (expected == "{id}" && !found.empty()) {
      id = found;
    } else if (expected != found) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return id;
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

RouteMatch find_route(std::string_view method, std::string_view path) {
  RouteMatch result;
  for (const auto& route : kRoutes) {
    auto id = match(route.pattern, path);
    if (!id) continue;
    result.allowed.emplace_back(route.method);
    if (route.method != method) continue;
    result.route = &route;
    result.id = std::move(*id);
  }
  return result;
}

}  // namespace shoal::api
