// Storage: one block of device memory, returned to a cache when its last owner goes. The host's
// large blocks are cut from one range (arena.h), freed ones of other kinds are kept by size class.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tensor/device.h"

namespace soma {

// Device blocks kept for a captured graph (tensor/device_graph.h), which reads and writes them at
// every launch: storage made within a PoolScope lives in them, and when it goes its block stays the
// pool's. Live bytes count all of them. The cache has them back once the pool and its storage are
// gone.
struct MemoryPool;
std::shared_ptr<MemoryPool> new_memory_pool();

// While one lives on this thread, storage on the device is made in `pool`.
class PoolScope {
 public:
  explicit PoolScope(std::shared_ptr<MemoryPool> pool);
  ~PoolScope();
  PoolScope(const PoolScope&) = delete;
  PoolScope& operator=(const PoolScope&) = delete;

 private:
  std::shared_ptr<MemoryPool> before_;
};

class Storage {
 public:
  Storage(int64_t bytes, Device device);  // contents are undefined; 64-byte aligned
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  // Grows with every write that goes through Tensor::touch(); packed weights are cached behind it.
  uint64_t version() const { return version_; }
  void touch() { ++version_; }

 private:
  std::byte* data_;
  int64_t bytes_, block_bytes_;
  uint64_t version_ = 0;
  Device device_;
  std::shared_ptr<MemoryPool> pool_;  // null: the cache's
};

struct MemoryStats {
  int64_t live_bytes = 0;          // held by tensors and pools now
  int64_t peak_bytes = 0;          // the most since the last reset_peak()
  int64_t cached_bytes = 0;        // freed by tensors, kept for reuse
  int64_t system_allocations = 0;  // blocks ever taken from the system
};
MemoryStats memory_stats(Device device);
void reset_peak(Device device);
void release_cached_memory(Device device);
// An allocation that would lift live bytes above `bytes` fails with an Error; 0 lifts the limit.
void set_memory_limit(Device device, int64_t bytes);

}  // namespace soma
