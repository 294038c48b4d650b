// One thread block while it runs: its lanes, what they wait for, and its shared memory. Both
// executors drive it; the rules of barriers and warps are here, once.
#pragma once
#include <array>
#include <atomic>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "emulator/emulator.h"
#include "emulator/kernel.h"

namespace soma::emulator {

// What a kernel did wrong; becomes the launch's Error.
struct Fault {
  std::string what;
};

enum class State : uint8_t { ready, at_warp, at_barrier, done };

struct Lane {
  Indices indices;
  State state = State::ready;
  Place place;  // where it waits
  Brought brought;
  Collected collected;
};

std::string name_of(const Place& place);
// Completes the collectives for which all lanes have come; true if there was one. Fault: a mask
// that names lanes which are not there, a lane that is not in its own mask or asks one outside it.
bool complete_collectives(std::span<Lane> warp);
// Why no lane of the warp can go on, some of which wait for a collective.
std::string stuck_warp(std::span<const Lane> warp);
// Lets all threads go on when they are at one barrier; true if so. Fault: a divergent barrier.
// Call when no thread of the block is ready or at a collective.
bool release_barrier(std::span<Lane> lanes);

// Shared memory: the launch's dynamic bytes, then objects by key, as they are first asked for.
class SharedMemory {
 public:
  void begin_block(size_t dynamic_bytes);  // fills everything with NaN, forgets the objects
  void* dynamic() { return bytes_.data(); }
  void* object(const void* key, size_t bytes, size_t alignment);  // Fault: more than there is
  // Fault: something was written behind the end of an object.
  void check_ends() const;

 private:
  static constexpr size_t kObjects = 16, kGap = 64;
  struct Object {
    std::atomic<const void*> key = nullptr;
    std::atomic<size_t> first = 0, last = 0;
  };
  alignas(256) std::array<std::byte, kSharedBytes + (kObjects + 1) * kGap> bytes_;
  std::array<Object, kObjects> objects_;
  std::mutex mutex_;
  size_t count_ = 0, used_ = 0, end_ = 0, dynamic_bytes_ = 0;
};

struct Block {
  std::vector<Lane> lanes;
  SharedMemory shared;
  const LaunchShape* shape = nullptr;
  void (*invoke)(void*) = nullptr;
  void* context = nullptr;

  void begin(const LaunchShape& launch, dim3 index);
  std::span<Lane> warp(size_t w) { return std::span(lanes).subspan(w * kWarp, kWarp); }
  size_t warps() const { return lanes.size() / kWarp; }
};

// The block and lane that the calling OS thread runs.
struct Running {
  Block* block = nullptr;
  Lane* lane = nullptr;
};
extern thread_local Running running;
void set_running(Block& block, Lane& lane);

// Runs a block to its end. Throws Fault.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual void run(Block& block, const Settings& settings, uint64_t block_number) = 0;
  // Called from the kernel: the running lane waits at `place` for its warp or its block.
  virtual void wait(State state, Place place, const Brought& brought) = 0;
  virtual void abandon() = 0;  // after a fault: whatever still runs is given up
};
Runner& fiber_runner();
Runner& thread_runner();

// 0 ... count - 1 in the order of the settings.
std::vector<uint32_t> order_of(size_t count, const Settings& settings, uint64_t salt);

}  // namespace soma::emulator
