// A launch: its limits, its blocks in their order, and the report of what a kernel did wrong.
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/check.h"
#include "emulator/block.h"
#include "emulator/libraries.h"
#include "emulator/memory.h"

namespace soma::emulator {
namespace {

Settings settings_from_environment() {
  Settings result;
  const auto word = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string_view(value == nullptr ? "" : value);
  };
  const std::string_view order = word("SOMA_EMULATOR_ORDER");
  check(order.empty() || order == "ascending" || order == "descending" || order == "shuffled",
        "SOMA_EMULATOR_ORDER", "expected ascending, descending or shuffled, got ", order);
  if (order == "descending") result.order = Order::descending;
  if (order == "shuffled") result.order = Order::shuffled;
  const std::string_view executor = word("SOMA_EMULATOR_EXECUTOR");
  check(executor.empty() || executor == "fibers" || executor == "threads", "SOMA_EMULATOR_EXECUTOR",
        "expected fibers or threads, got ", executor);
  if (executor == "threads") result.executor = Executor::threads;
  const std::string_view memory = word("SOMA_EMULATOR_MEMORY");
  const char* end = memory.data() + memory.size();
  const auto [read, error] = std::from_chars(memory.data(), end, result.memory_bytes);
  check(memory.empty() || (error == std::errc() && read == end && result.memory_bytes > 0),
        "SOMA_EMULATOR_MEMORY", "expected a number of bytes, got ", memory);
  return result;
}

// The kernel's name: the launch's source up to its first comma outside of brackets.
std::string kernel_name(std::string_view text) {
  int depth = 0;
  size_t end = 0;
  for (; end < text.size() && (depth > 0 || text[end] != ','); ++end) {
    if (text[end] == '<' || text[end] == '(') ++depth;
    if (text[end] == '>' || text[end] == ')') --depth;
  }
  return std::string(text.substr(0, end));
}

void check_limits(const LaunchShape& shape) {
  const std::string name = kernel_name(shape.text);
  const int64_t threads = int64_t{shape.block.x} * shape.block.y * shape.block.z;
  check(threads >= 1 && threads <= kMaxThreads, name, threads, " threads in a block, the limit is ",
        kMaxThreads);
  check(threads % kWarp == 0, name, threads, " threads in a block are not whole warps of ", kWarp);
  check(shape.grid.x >= 1 && shape.grid.y >= 1 && shape.grid.z >= 1 && shape.grid.x <= kMaxGridX &&
            shape.grid.y <= kMaxGridYZ && shape.grid.z <= kMaxGridYZ,
        name, "a grid of ", shape.grid.x, " x ", shape.grid.y, " x ", shape.grid.z,
        " blocks cannot be launched");
  check(shape.dynamic_bytes <= kSharedBytes, name, shape.dynamic_bytes,
        " bytes of shared memory, a block has ", kSharedBytes);
}

Runner& runner() {
  return settings().executor == Executor::fibers ? fiber_runner() : thread_runner();
}

struct Grid {
  const LaunchShape& shape;
  Block& block;
  void (*invoke)(void*);
  void* context;
  std::vector<uint32_t> order;
  dim3 at;
};

// All blocks of the grid, one after the other.
void run_blocks(void* context) {
  Grid& grid = *static_cast<Grid*>(context);
  const dim3& extent = grid.shape.grid;
  for (const uint32_t number : grid.order) {
    grid.at = {number % extent.x, number / extent.x % extent.y, number / extent.x / extent.y};
    grid.block.invoke = grid.invoke;
    grid.block.context = grid.context;
    grid.block.begin(grid.shape, grid.at);
    runner().run(grid.block, settings(), number);
    grid.block.shared.check_ends();
  }
}

}  // namespace

Settings& settings() {
  static Settings instance = settings_from_environment();
  return instance;
}

void run_launch(const LaunchShape& shape, void (*invoke)(void*), void* context) {
  check_limits(shape);
  static Block* const block = new Block;
  const int64_t blocks = int64_t{shape.grid.x} * shape.grid.y * shape.grid.z;
  check(blocks <= kMaxGridX, kernel_name(shape.text), blocks, " blocks are too many to emulate");
  Grid grid{shape, *block, invoke, context, {}, {}};
  grid.order = order_of(static_cast<size_t>(blocks), settings(), 0);
  const DeviceAccess access;
  try {
    if (settings().executor == Executor::fibers) {
      run_guarded(run_blocks, &grid);
    } else {
      run_blocks(&grid);
    }
  } catch (const Fault& fault) {
    runner().abandon();
    fail(kernel_name(shape.text), "block (", grid.at.x, ", ", grid.at.y, ", ", grid.at.z,
         "): ", fault.what);
  }
}

void run_library(const char* who, void (*body)(void*), void* context) {
  const DeviceAccess access;
  try {
    run_guarded(body, context);
  } catch (const Fault& fault) {
    fail(who, fault.what);
  }
}

void barrier(Place place) { runner().wait(State::at_barrier, place, {}); }

Collected collect(const Brought& brought, Place place) {
  runner().wait(State::at_warp, place, brought);
  return running.lane->collected;
}

void* shared_memory(const void* key, size_t bytes, size_t alignment) {
  return running.block->shared.object(key, bytes, alignment);
}
void* dynamic_shared_memory() { return running.block->shared.dynamic(); }

}  // namespace soma::emulator
