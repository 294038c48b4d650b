// The emulated device's memory: every block in pages of its own that end where the block ends, with
// a page behind it that nobody may touch. All of it is closed to the host but for copies and
// launches, so that a host read of device memory faults.
#pragma once
#include <cstddef>
#include <cstdint>

namespace soma::emulator {

// 16-byte aligned, filled with NaN (all bits 1); null when the machine has no memory left.
void* allocate(int64_t bytes);
// Error: something was written before its first byte, or not a block.
void release(void* block);

// Opens the device's memory to this process while it lives.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

// Calls body(context), part of a kernel. Throws Fault when it touches memory that is not there.
void run_guarded(void (*body)(void*), void* context);

}  // namespace soma::emulator
