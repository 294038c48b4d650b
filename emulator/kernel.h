// What a .cu file sees when it is compiled as C++: the built-in variables and functions of CUDA
// that soma's kernels use, and the launch. Included by ops/cuda/gpu.h only.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "emulator/capture.h"

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

namespace soma::emulator {

// What the built-in variables of a thread read.
struct Indices {
  dim3 thread, block, block_size, grid_size;
};
extern thread_local constinit const Indices* current;  // of the running thread
inline const Indices& indices() { return *current; }

// A place in the source, for reports.
struct Place {
  const char* file = "";
  int line = 0;
  bool operator==(const Place&) const = default;
};

// Waits for all threads of the block, which must come to this very place.
void barrier(Place place);

// A warp's collective: each lane of `mask` brings a word and names the lane whose word it wants.
// `together`, where there is one, runs once when all have come; it takes the words of the 32 lanes.
struct Brought {
  uint32_t mask = 0;
  uint64_t word = 0;
  int source = 0;
  void (*together)(const uint64_t* words) = nullptr;
};
struct Collected {
  uint64_t word = 0;     // of the lane asked for
  uint32_t nonzero = 0;  // the lanes whose word is not 0
};
Collected collect(const Brought& brought, Place place);

// The block's object of this key (one per SHARED line and instantiation); NaN until it is written.
void* shared_memory(const void* key, size_t bytes, size_t alignment);
void* dynamic_shared_memory();

struct LaunchShape {
  const char* text;  // the launch's source, which begins with the kernel's name
  dim3 grid, block;
  size_t dynamic_bytes;
};
// Runs invoke(context) once per thread of the grid. Error: a limit, or what the kernel did wrong.
void run_launch(const LaunchShape& shape, void (*invoke)(void*), void* context);

template <class... Parameters, class... Arguments>
void launch_kernel(const char* text, void (*kernel)(Parameters...), dim3 grid, dim3 block,
                   size_t dynamic_bytes, const Arguments&... arguments) {
  const std::tuple<Parameters...> values(static_cast<Parameters>(arguments)...);
  run_or_record([=] {
    auto body = [&] { std::apply(kernel, values); };
    run_launch(
        {text, grid, block, dynamic_bytes},
        [](void* context) { (*static_cast<decltype(body)*>(context))(); }, &body);
  });
}

template <class T>
T shuffle(uint32_t mask, T value, int source, Place place) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  Brought brought{mask, 0, source};
  std::memcpy(&brought.word, &value, sizeof(T));
  const Collected collected = collect(brought, place);
  std::memcpy(&value, &collected.word, sizeof(T));
  return value;
}
inline int lane() {
  const Indices& i = indices();
  return static_cast<int>(
      (i.thread.x + i.block_size.x * (i.thread.y + i.block_size.y * i.thread.z)) % 32);
}

// *target = change(*target) atomically; gives what was there before.
template <class T, class Change>
T atomic_change(T* target, Change change) {
  T before;
  __atomic_load(target, &before, __ATOMIC_RELAXED);
  for (;;) {
    T after = change(before);
    if (__atomic_compare_exchange(target, &before, &after, false, __ATOMIC_RELAXED,
                                  __ATOMIC_RELAXED)) {
      return before;
    }
  }
}

}  // namespace soma::emulator

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define threadIdx (::soma::emulator::indices().thread)
#define blockIdx (::soma::emulator::indices().block)
#define blockDim (::soma::emulator::indices().block_size)
#define gridDim (::soma::emulator::indices().grid_size)

#define SHARED(type, name, extents)                   \
  using name##_shared = type extents;                 \
  static char name##_key;                             \
  name##_shared& name = *static_cast<name##_shared*>( \
      ::soma::emulator::shared_memory(&name##_key, sizeof(name##_shared), alignof(name##_shared)))

#define SOMA_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(SOMA_HERE) { soma::emulator::barrier({file, line}); }
inline void __syncwarp(uint32_t mask = 0xFFFFFFFF, SOMA_HERE) {
  soma::emulator::collect({mask, 0, soma::emulator::lane()}, {file, line});
}
template <class T>
T __shfl_sync(uint32_t mask, T value, int source, SOMA_HERE) {
  return soma::emulator::shuffle(mask, value, source % 32, {file, line});
}
// A lane that asks beyond the warp's end keeps its own value.
template <class T>
T __shfl_down_sync(uint32_t mask, T value, int distance, SOMA_HERE) {
  const int own = soma::emulator::lane(), source = own + distance;
  return soma::emulator::shuffle(mask, value, source < 32 ? source : own, {file, line});
}
template <class T>
T __shfl_up_sync(uint32_t mask, T value, int distance, SOMA_HERE) {
  const int own = soma::emulator::lane(), source = own - distance;
  return soma::emulator::shuffle(mask, value, source >= 0 ? source : own, {file, line});
}
template <class T>
T __shfl_xor_sync(uint32_t mask, T value, int bits, SOMA_HERE) {
  return soma::emulator::shuffle(mask, value, soma::emulator::lane() ^ bits, {file, line});
}
inline uint32_t __ballot_sync(uint32_t mask, bool vote, SOMA_HERE) {
  return soma::emulator::collect({mask, vote ? 1u : 0u, soma::emulator::lane()}, {file, line})
      .nonzero;
}

template <class T>
T atomicAdd(T* target, T value) {
  return soma::emulator::atomic_change(target, [=](T x) { return static_cast<T>(x + value); });
}
template <class T>
T atomicMax(T* target, T value) {
  return soma::emulator::atomic_change(target, [=](T x) { return x < value ? value : x; });
}
inline int __popc(uint32_t bits) { return __builtin_popcount(bits); }
