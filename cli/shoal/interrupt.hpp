// Ctrl-C as something to wait for: while this lives, SIGINT and SIGTERM make its descriptor
// readable instead of ending the process.
#pragma once

#include <signal.h>

#include "base/file.hpp"

namespace shoal::cli {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  int fd() const { return fd_.get(); }

 private:
  ::sigset_t before_{};
  UniqueFd fd_;
};

}  // namespace shoal::cli
