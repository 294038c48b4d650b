// The emulated CUDA device: settings and counters, for tests and reports. What kernels see of it is
// in kernel.h, its memory in memory.h. docs/emulator.md says how it works and what it cannot see.
#pragma once
#include <cstdint>

namespace soma::emulator {

// In which order the blocks of a grid, the warps of a block and the lanes of a warp run.
enum class Order { ascending, descending, shuffled };
// Fibers on one thread, which see every order but no data race as such; or an OS thread for each
// thread of a block, whose data races ThreadSanitizer reports.
enum class Executor { fibers, threads };

struct Settings {
  Order order = Order::ascending;
  Executor executor = Executor::fibers;
  uint64_t seed = 0;         // of the shuffles
  int64_t memory_bytes = 0;  // of the card; 0: as much as the machine has
};
// The first call reads SOMA_EMULATOR_ORDER, SOMA_EMULATOR_EXECUTOR and SOMA_EMULATOR_MEMORY. Error:
// an unknown word.
Settings& settings();

// Limits of every card since sm_60, asserted at each launch.
inline constexpr int kWarp = 32;
inline constexpr int kMaxThreads = 1024;       // per block
inline constexpr int kSharedBytes = 48 << 10;  // per block
inline constexpr int64_t kMaxGridX = 2147483647, kMaxGridYZ = 65535;

}  // namespace soma::emulator
