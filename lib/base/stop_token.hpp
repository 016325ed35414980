// A flag that asks work in progress to end soon: cancellation by the user, or shutdown. Work checks
// it at least once per MiB or per file. Copies share the flag.
#pragma once

#include <atomic>
#include <memory>

#include "base/error.hpp"

namespace shoal {

class StopToken {
 public:
  StopToken() : flag_(std::make_shared<std::atomic<bool>>(false)) {}
  void request_stop() { flag_->store(true, std::memory_order_relaxed); }
  bool stop_requested() const { return flag_->load(std::memory_order_relaxed); }
  Result<void> check() const {
    if (stop_requested()) return fail(ErrorKind::cancelled, "the operation was cancelled");
    return {};
  }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace shoal
