// Sums over a whole tensor in f64: a part per block, then the parts by one block. The grid depends
// on the count alone, so the bits do not change from run to run.
#pragma once
#include "ops/cuda/block.cuh"
#include "ops/cuda/each.cuh"
#include "tensor/tensor.h"

namespace soma::cuda {

inline constexpr int kReduceThreads = 256;
inline constexpr int64_t kReduceBlocks = 256;

// parts[block] = the sum of value(i) over the i of the block's threads.
template <class Value>
__global__ void __launch_bounds__(kReduceThreads)
    sum_parts_kernel(int64_t count, Value value, double* parts) {
  double total = 0;
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) total += value(i);
  total = block_sum(total);
  if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

// finish(the sum of parts).
template <class Finish>
__global__ void __launch_bounds__(kReduceThreads)
    finish_sum_kernel(int64_t count, const double* parts, Finish finish) {
  double total = 0;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) total += parts[i];
  total = block_sum(total);
  if (threadIdx.x == 0) finish(total);
}

// finish(sum of value(i) for i in [0, count)), run by one thread of the device.
template <class Value, class Finish>
void sum_of(int64_t count, const Value& value, const Finish& finish) {
  const unsigned blocks = blocks_for(count, 4 * kReduceThreads, kReduceBlocks);
  const Tensor parts = Tensor::empty({blocks}, DType::f64, Device::cuda);
  double* const sums = parts.data<double>();
  if (blocks > 0) {
    launch(sum_parts_kernel<Value>, blocks, kReduceThreads, 0, count, value, sums);
  }
  launch(finish_sum_kernel<Finish>, 1, kReduceThreads, 0, int64_t{blocks}, sums, finish);
}

}  // namespace soma::cuda
