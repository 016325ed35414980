// signalfd: no handler, no global. The pending signal is taken before the mask is given back, so
// that the process can still say its last words.
#include "cli/shoal/interrupt.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

namespace shoal::cli {

Interrupt::Interrupt() {
  ::sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
  fd_.reset(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

Interrupt::~Interrupt() {
  ::signalfd_siginfo taken;
  while (::read(fd_.get(), &taken, sizeof taken) == static_cast<::ssize_t>(sizeof taken)) {
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace shoal::cli
