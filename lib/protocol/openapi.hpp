// The description of the local API, to be served by it.
#pragma once

#include <string_view>

namespace shoal::protocol {

// The text of openapi.yaml.
std::string_view openapi_yaml();

}  // namespace shoal::protocol
