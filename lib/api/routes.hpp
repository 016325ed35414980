// The table of contents of the local API, and finding a request's line in it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/permissions.hpp"

namespace shoal::api {

class Handlers;
struct Call;

struct Route {
  std::string_view method;
  std::string_view pattern;  // "{id}" stands for one path segment
  Permission permission;
  void (Handlers::*handler)(Call& call);
};

std::span<const Route> routes();

struct RouteMatch {
  const Route* route = nullptr;      // null: no such path, or not with that method
  std::string id;                    // the segment that "{id}" stood for
  std::vector<std::string> allowed;  // the methods that the path has; empty: no such path
};

RouteMatch find_route(std::string_view method, std::string_view path);

}  // namespace shoal::api
