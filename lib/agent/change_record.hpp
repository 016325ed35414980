// A change in the agent's hands, and as the store keeps it, so that it goes on after a restart.
#pragma once

#include "agent/service.hpp"
#include "store/store.hpp"

namespace shoal::agent {

struct ChangeRecord {
  Change view;
  ChangeRequest request;
  std::int64_t install = 0;

  bool ended() const;
};

store::ChangeRow to_row(const ChangeRecord& record);
// Errors: state_corrupt.
Result<ChangeRecord> from_row(const store::ChangeRow& row);

}  // namespace shoal::agent
