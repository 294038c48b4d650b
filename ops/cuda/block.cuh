// What the threads of one block do together. Every function here must be called by all threads of
// the block, ends with a barrier, and gives the same result to each of them.
#pragma once
#include "ops/cuda/gpu.h"

namespace soma::cuda {

inline constexpr int kMaxWarps = 32;

struct Plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};

// Lane 0 gets the result.
template <class T, class Join>
__device__ T warp_reduce(T value, Join join) {
  for (int distance = gpu::kWarp / 2; distance > 0; distance /= 2) {
    value = join(value, __shfl_down_sync(gpu::kFullMask, value, distance));
  }
  return value;
}

// Joins the values of all threads in an order that depends on the block's size alone.
template <class T, class Join>
__device__ T block_reduce(T value, T neutral, Join join) {
  SHARED(T, parts, [kMaxWarps]);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % gpu::kWarp;
  const int warps = static_cast<int>(blockDim.x) / gpu::kWarp;
  value = warp_reduce(value, join);
  if (lane == 0) parts[thread / gpu::kWarp] = value;
  __syncthreads();
  if (thread < gpu::kWarp) {
    value = warp_reduce(lane < warps ? parts[lane] : neutral, join);
    if (lane == 0) parts[0] = value;
  }
  __syncthreads();
  value = parts[0];
  __syncthreads();  // parts may be used again at once
  return value;
}

template <class T>
__device__ T block_sum(T value) {
  return block_reduce(value, T{0}, Plus());
}

// The sum of the values of all threads before this one; `total` gets the sum of all.
__device__ inline int32_t block_sum_before(int32_t value, int32_t& total) {
  SHARED(int32_t, sums, [kMaxWarps + 1]);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % gpu::kWarp;
  const int warps = static_cast<int>(blockDim.x) / gpu::kWarp;
  int32_t running = value;
  for (int distance = 1; distance < gpu::kWarp; distance *= 2) {
    const int32_t below = __shfl_up_sync(gpu::kFullMask, running, distance);
    if (lane >= distance) running += below;
  }
  if (lane == gpu::kWarp - 1) sums[thread / gpu::kWarp] = running;
  __syncthreads();
  if (thread == 0) {
    int32_t before = 0;
    for (int w = 0; w < warps; ++w) {
      const int32_t here = sums[w];
      sums[w] = before;
      before += here;
    }
    sums[kMaxWarps] = before;
  }
  __syncthreads();
  total = sums[kMaxWarps];
  const int32_t result = sums[thread / gpu::kWarp] + running - value;
  __syncthreads();
  return result;
}

}  // namespace soma::cuda
