// What a product is to those who sign: a name, and the paths that it speaks for. Pure.
#pragma once

#include <string>

#include "base/error.hpp"
#include "trust/metadata.hpp"

namespace shoal::publish {

// Errors: invalid_request.
Result<void> check_product_name(const std::string& product);
// For the product's paths and nothing else, nor anyone else for them; without keys yet.
trust::Delegation product_delegation(const std::string& product);

}  // namespace shoal::publish
