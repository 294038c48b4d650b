// The pure map: body(i) for every i in [0, count). A body is a struct of pointers and numbers whose
// operator() is the kernel; what it writes for one i must not depend on another.
#pragma once
#include <algorithm>

#include "ops/cuda/gpu.h"

namespace soma::cuda {

inline constexpr int kEachThreads = 256;

// What a launch over `count` threads needs; more blocks than this would only queue.
inline unsigned blocks_for(int64_t count, int64_t threads, int64_t most = 1 << 16) {
  return static_cast<unsigned>(std::min((count + threads - 1) / threads, most));
}

__device__ inline int64_t grid_thread() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline int64_t grid_threads() { return int64_t{gridDim.x} * blockDim.x; }

template <class Body>
__global__ void __launch_bounds__(kEachThreads) each_kernel(int64_t count, Body body) {
  UNROLL(1)  // several bodies at once would keep registers in memory over calls of the division
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) body(i);
}

template <class Body>
void each(int64_t count, const Body& body) {
  if (count == 0) return;
  launch(each_kernel<Body>, blocks_for(count, kEachThreads), kEachThreads, 0, count, body);
}

}  // namespace soma::cuda
