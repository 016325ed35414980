// Every delegation that this publisher makes comes from here, so that a proposal can be held
// against it (proposal_scope.cpp).
#include "publish/product.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/relative_path.hpp"

namespace shoal::publish {

Result<void> check_product_name(const std::string& product) {
  SHOAL_TRY(check_name("product", product));
  std::string lower = product;
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
  });
  for (auto reserved : {"root", "targets", "snapshot", "timestamp"})
    if (lower == reserved)
      return fail(ErrorKind::invalid_request,
                  fmt::format("a product cannot be called '{}': metadata has that name", product),
                  "Choose another product id.");
  return {};
}

trust::Delegation product_delegation(const std::string& product) {
  return {product, {}, {product + "/*", product + "/*/*"}, {}, true};
}

}  // namespace shoal::publish
