// The schema's versions. Private to the module.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "store/database.hpp"

namespace shoal::store {

// A step from version N - 1 to N, where N is its place in the list, counted from 1. A step that
// was released is never changed.
struct Migration {
  std::string_view what;  // for the table `migrations`
  std::string_view sql;
};

std::span<const Migration> migrations();

// Brings the database to the last version of the list, each step in a transaction of its own. The
// whole file is checked first, unless its last user closed it in order: that takes as long as
// reading it.
// Errors: unsupported_version when it is beyond the list, state_corrupt when it is damaged or no
// state of Shoal's.
Result<void> migrate(Database& database, std::span<const Migration> steps);

// The last word of a user that has ended in order.
void mark_closed(Database& database);

}  // namespace shoal::store
