#include "apps/interrupt.h"

#include <atomic>
#include <csignal>

namespace soma {
namespace {

// Set by a signal's handler, read by any thread: only an atomic without locks may be both.
std::atomic<bool> flag = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void handle(int signal) {
  flag = true;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void watch_interrupts() {
  std::signal(SIGINT, handle);
  std::signal(SIGTERM, handle);
}

bool interrupted() { return flag; }

}  // namespace soma
