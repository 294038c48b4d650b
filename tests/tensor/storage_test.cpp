#include "tensor/storage.h"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "base/check.h"

namespace soma {
namespace {

constexpr Device kCpu = Device::cpu;

MemoryStats now() { return memory_stats(kCpu); }

}  // namespace

TEST_CASE("blocks are aligned, writable and as large as asked") {
  for (const int64_t bytes : {0, 1, 255, 256, 257, 100000, 1 << 20}) {
    const Storage storage(bytes, kCpu);
    CHECK(reinterpret_cast<uintptr_t>(storage.data()) % 64 == 0);
    CHECK(storage.bytes() == bytes);
    std::memset(storage.data(), 0x5A, static_cast<size_t>(bytes));
  }
}

TEST_CASE("live and peak bytes follow what is held") {
  const int64_t before = now().live_bytes;
  reset_peak(kCpu);
  CHECK(now().peak_bytes == before);
  {
    const Storage a(100000, kCpu);
    const int64_t one = now().live_bytes - before;
    CHECK(one >= 100000);
    CHECK(one <= 100000 * 9 / 8 + 64);  // a size class wastes an eighth at most
    {
      const Storage b(50000, kCpu);
      CHECK(now().live_bytes - before >= 150000);
    }
    CHECK(now().live_bytes - before == one);
    const Storage c(1000, kCpu);
    CHECK(now().peak_bytes - before >= 150000);
  }
  CHECK(now().live_bytes == before);
  CHECK(now().peak_bytes - before >= 150000);
  reset_peak(kCpu);
  CHECK(now().peak_bytes == before);
}

TEST_CASE("a freed block is used again and takes nothing from the system") {
  release_cached_memory(kCpu);
  CHECK(now().cached_bytes == 0);
  const int64_t taken = now().system_allocations;
  const std::byte* first;
  {
    const Storage storage(12345, kCpu);
    first = storage.data();
    CHECK(now().system_allocations == taken + 1);
  }
  const int64_t cached = now().cached_bytes;
  CHECK(cached >= 12345);
  {
    const Storage same_class(12340, kCpu);
    CHECK(same_class.data() == first);
    CHECK(now().system_allocations == taken + 1);
    CHECK(now().cached_bytes == 0);
    const Storage another(12345, kCpu);
    CHECK(another.data() != first);
    CHECK(now().system_allocations == taken + 2);
  }
  CHECK(now().cached_bytes == 2 * cached);
  release_cached_memory(kCpu);
  CHECK(now().cached_bytes == 0);
}

TEST_CASE("an allocation that passes the limit is an error and leaves nothing behind") {
  const int64_t before = now().live_bytes;
  set_memory_limit(kCpu, before + (1 << 20));
  {
    const Storage fits(1 << 19, kCpu);
    CHECK_THROWS_AS(Storage(1 << 20, kCpu), Error);
    try {
      const Storage too_large(1 << 20, kCpu);
    } catch (const Error& error) {
      const std::string message = error.what();
      CHECK(message.find("memory: needed 1048576 bytes with ") == 0);
      CHECK(message.find("limit of " + std::to_string(before + (1 << 20))) != std::string::npos);
    }
    CHECK(now().live_bytes - before == 1 << 19);
  }
  CHECK(now().live_bytes == before);
  const Storage fits(1 << 20, kCpu);  // exactly at the limit
  set_memory_limit(kCpu, 0);
  const Storage beyond(1 << 21, kCpu);
}

TEST_CASE("what the system cannot give is an error") {
  const int64_t before = now().live_bytes;
  CHECK_THROWS_AS(Storage(int64_t{1} << 50, kCpu), Error);
  CHECK(now().live_bytes == before);
}

TEST_CASE("touch moves the version on") {
  Storage storage(4, kCpu);
  const uint64_t before = storage.version();
  storage.touch();
  CHECK(storage.version() == before + 1);
}

TEST_CASE("blocks are taken and given back by many threads") {
  const int64_t before = now().live_bytes;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 500; ++i) {
        const Storage storage(1000 + i % 7 * 300, kCpu);
        std::memset(storage.data(), i, static_cast<size_t>(storage.bytes()));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(now().live_bytes == before);
}

TEST_CASE("a device that the build lacks is an error") {
  if (!kCudaBuilt) {
    CHECK_THROWS_WITH_AS(Storage(4, Device::cuda), "memory: this build has no CUDA", Error);
  }
}

}  // namespace soma
