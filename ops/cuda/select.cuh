// Selecting and sorting 64-bit keys by one block. Keys are distinct, but for kNoKey, which stands
// for "absent" and comes after every other.
#pragma once
#include "ops/cuda/block.cuh"

namespace soma::cuda {

inline constexpr uint64_t kNoKey = ~uint64_t{0};

// The rank-th smallest (from 1) of key(i), i in [0, count): digit by digit from the top, a
// histogram of those that share the digits found so far (radix select).
template <class Key>
__device__ uint64_t block_select(int64_t count, int64_t rank, const Key& key) {
  constexpr int kDigits = 256;
  SHARED(int32_t, histogram, [kDigits]);
  SHARED(uint64_t, chosen, [1]);
  SHARED(int64_t, remaining, [1]);
  uint64_t prefix = 0;
  for (int shift = 56; shift >= 0; shift -= 8) {
    for (int digit = static_cast<int>(threadIdx.x); digit < kDigits;
         digit += static_cast<int>(blockDim.x)) {
      histogram[digit] = 0;
    }
    __syncthreads();
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
      const uint64_t value = key(i);
      const bool same = shift == 56 || value >> (shift + 8) == prefix >> (shift + 8);
      if (same) atomicAdd(&histogram[value >> shift & (kDigits - 1)], 1);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      int64_t left = rank;
      int digit = 0;
      for (; digit < kDigits - 1 && left > histogram[digit]; ++digit) left -= histogram[digit];
      chosen[0] = prefix | static_cast<uint64_t>(digit) << shift;
      remaining[0] = left;
    }
    __syncthreads();
    prefix = chosen[0];
    rank = remaining[0];
    __syncthreads();
  }
  return prefix;
}

// Sorts keys[0, count) upwards; count is a power of two (bitonic sort).
__device__ inline void block_sort(uint64_t* keys, int64_t count) {
  for (int64_t size = 2; size <= count; size *= 2) {
    for (int64_t step = size / 2; step > 0; step /= 2) {
      for (int64_t i = threadIdx.x; i < count / 2; i += blockDim.x) {
        const int64_t low = i / step * (2 * step) + i % step, high = low + step;
        const uint64_t a = keys[low], b = keys[high];
        if ((a > b) == ((low & size) == 0)) {
          keys[low] = b;
          keys[high] = a;
        }
      }
      __syncthreads();
    }
  }
}

inline int64_t power_of_two_from(int64_t count) {
  int64_t power = 1;
  while (power < count) power *= 2;
  return power;
}

}  // namespace soma::cuda
