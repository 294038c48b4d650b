// Ctrl-C (and SIGTERM, which batch systems send) as a flag that long loops poll, so that they
// finish what they are at, save, and return 130. A second signal ends the process at once.
#pragma once

namespace soma {

inline constexpr int kInterruptedCode = 130;

void watch_interrupts();
bool interrupted();

}  // namespace soma
