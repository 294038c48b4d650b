#include "tensor/storage.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tensor/arena.h"
#include "tensor/device_memory.h"

namespace soma {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kLargeBlock = 1 << 16;  // from here on host blocks lie in the arena
// AddressSanitizer watches the ends of blocks that malloc gave.
#if defined(__SANITIZE_ADDRESS__)
#define SOMA_FENCED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOMA_FENCED 1
#endif
#endif
#ifdef SOMA_FENCED
constexpr bool kFenced = true;
#else
constexpr bool kFenced = false;
#endif

int64_t arena_bytes(Device device) {
  if (device != Device::cpu || kFenced) return 0;
  return int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE) / kAlignment * kAlignment;
}

// Size classes: eight per power of two, so at most an eighth of a block is wasted.
int64_t size_class(int64_t bytes) {
  bytes = std::max<int64_t>(bytes, 256);
  const int64_t step = std::max<int64_t>(
      kAlignment, static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes))) / 8);
  return (bytes + step - 1) / step * step;
}

// Freed blocks by size.
class FreeBlocks {
 public:
  // Null when there is none of this size.
  std::byte* take(int64_t size) {
    const auto found = blocks_.find(size);
    if (found == blocks_.end() || found->second.empty()) return nullptr;
    std::byte* data = found->second.back();
    found->second.pop_back();
    return data;
  }
  void give(int64_t size, std::byte* data) { blocks_[size].push_back(data); }
  // body(size, data) for each, which are then gone.
  template <class Body>
  void drain(Body body) {
    for (auto& [size, blocks] : blocks_) {
      for (std::byte* data : blocks) body(size, data);
    }
    blocks_.clear();
  }

 private:
  std::map<int64_t, std::vector<std::byte*>> blocks_;
};

// Null when there is none. `captured`: for a pool, which may take blocks during a capture.
void* take_from_system(Device device, int64_t bytes, bool captured) {
  if constexpr (kCudaBuilt) {
    if (device == Device::cuda) {
      return captured ? device::allocate_in_capture(bytes) : device::allocate(bytes);
    }
  }
  return std::aligned_alloc(kAlignment, static_cast<size_t>(bytes));
}

void give_to_system(Device device, std::byte* data) {
  if constexpr (kCudaBuilt) {
    if (device == Device::cuda) return device::release(data);
  }
  std::free(data);
}

}  // namespace

struct MemoryPool {
  FreeBlocks free;  // under the cache's lock
  MemoryPool() = default;
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;
  ~MemoryPool();
};

namespace {

class Cache {
 public:
  explicit Cache(Device device) : device_(device), arena_(arena_bytes(device)) {}

  // `pool` may be null.
  std::byte* take(int64_t bytes, int64_t block_bytes, MemoryPool* pool) {
    const std::lock_guard lock(mutex_);
    if (pool != nullptr) {
      if (std::byte* data = pool->free.take(block_bytes)) return data;
    }
    check(limit_ == 0 || stats_.live_bytes + block_bytes <= limit_, "memory", "needed ", bytes,
          " bytes with ", stats_.live_bytes, " in use, which passes the limit of ", limit_,
          "; use smaller images, crops or batches");
    const bool large = device_ == Device::cpu && block_bytes >= kLargeBlock;
    std::byte* data = large ? from_arena(block_bytes) : nullptr;
    if (data == nullptr) data = reuse(block_bytes);
    if (data == nullptr) data = allocate(bytes, block_bytes, pool != nullptr);
    stats_.live_bytes += block_bytes;
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
    return data;
  }

  void give_back(std::byte* data, int64_t block_bytes, MemoryPool* pool) noexcept {
    const std::lock_guard lock(mutex_);
    if (pool == nullptr) return give_back_locked(data, block_bytes);
    try {
      pool->free.give(block_bytes, data);
    } catch (const std::bad_alloc&) {  // its graph still writes there: nobody else may have it
    }
  }

  void give_back(MemoryPool& pool) noexcept {
    const std::lock_guard lock(mutex_);
    pool.free.drain([&](int64_t size, std::byte* data) { give_back_locked(data, size); });
  }

  void release() {
    const std::lock_guard lock(mutex_);
    release_locked();
  }
  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    MemoryStats result = stats_;
    result.cached_bytes = cached();
    return result;
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.live_bytes;
  }
  void set_limit(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    limit_ = bytes;
  }

 private:
  void give_back_locked(std::byte* data, int64_t block_bytes) noexcept {
    stats_.live_bytes -= block_bytes;
    if (kCudaEmulated && device_ == Device::cuda) return give_to_system(device_, data);
    if (arena_.owns(data)) return arena_.give_back(data, block_bytes);
    try {
      free_.give(block_bytes, data);
      stats_.cached_bytes += block_bytes;
    } catch (const std::bad_alloc&) {
      give_to_system(device_, data);
    }
  }

  int64_t cached() const { return stats_.cached_bytes + arena_.used_free_bytes(); }

  // What is cached in other places goes back first once it outweighs what is in use.
  void trim() {
    if (cached() > stats_.live_bytes + (int64_t{256} << 20)) release_locked();
  }

  std::byte* from_arena(int64_t block_bytes) {
    const bool used = arena_.has_used(block_bytes);
    if (!used) trim();
    std::byte* const data = arena_.take(block_bytes);
    if (data != nullptr && !used) ++stats_.system_allocations;
    return data;
  }

  std::byte* reuse(int64_t block_bytes) {
    std::byte* data = free_.take(block_bytes);
    if (data != nullptr) stats_.cached_bytes -= block_bytes;
    return data;
  }

  // `captured`: nothing can be given to the system meanwhile.
  std::byte* allocate(int64_t bytes, int64_t block_bytes, bool captured) {
    if (!captured) trim();
    void* data = take_from_system(device_, block_bytes, captured);
    if (data == nullptr && !captured) {
      release_locked();
      data = take_from_system(device_, block_bytes, captured);
    }
    check(data != nullptr, "memory", device_ == Device::cpu ? "the system" : "the card", " has no ",
          bytes, " bytes left (", stats_.live_bytes,
          " in use); use smaller images, crops or batches (input.max_size, input.crop, "
          "train.batch)");
    ++stats_.system_allocations;
    return static_cast<std::byte*>(data);
  }

  void release_locked() {
    free_.drain([&](int64_t, std::byte* data) { give_to_system(device_, data); });
    stats_.cached_bytes = 0;
    arena_.release();
  }

  const Device device_;
  std::mutex mutex_;
  Arena arena_;
  FreeBlocks free_;
  MemoryStats stats_;
  int64_t limit_ = 0;
};

// Never destroyed: tensors may outlive main.
Cache& cache(Device device) {
  check(device == Device::cpu || kCudaBuilt, "memory", "this build has no CUDA");
  static Cache* const instances[] = {new Cache(Device::cpu), new Cache(Device::cuda)};
  return *instances[device == Device::cpu ? 0 : 1];
}

// The emulator fences blocks at their very size and gives each back at once, so that no access
// beyond one or after its life goes unseen.
int64_t block_size(int64_t bytes, Device device) {
  if (kCudaEmulated && device == Device::cuda) return bytes;
  const bool exact = device == Device::cpu && bytes >= kLargeBlock;
  return exact ? (bytes + kAlignment - 1) / kAlignment * kAlignment : size_class(bytes);
}

thread_local std::shared_ptr<MemoryPool> pool_in_use;

}  // namespace

MemoryPool::~MemoryPool() { cache(Device::cuda).give_back(*this); }

std::shared_ptr<MemoryPool> new_memory_pool() { return std::make_shared<MemoryPool>(); }

PoolScope::PoolScope(std::shared_ptr<MemoryPool> pool)
    : before_(std::exchange(pool_in_use, std::move(pool))) {}
PoolScope::~PoolScope() { pool_in_use = before_; }

Storage::Storage(int64_t bytes, Device device)
    : data_(nullptr), bytes_(bytes), block_bytes_(block_size(bytes, device)), device_(device) {
  if (device == Device::cuda) pool_ = pool_in_use;
  data_ = cache(device).take(bytes, block_bytes_, pool_.get());
}

Storage::~Storage() { cache(device_).give_back(data_, block_bytes_, pool_.get()); }

MemoryStats memory_stats(Device device) { return cache(device).stats(); }
void reset_peak(Device device) { cache(device).reset_peak(); }
void release_cached_memory(Device device) { cache(device).release(); }
void set_memory_limit(Device device, int64_t bytes) { cache(device).set_limit(bytes); }

}  // namespace soma
