// Top-k, a block per row: the k-th key is selected, those up to it are gathered in any order, and
// only they are sorted, in shared memory where they fit.
#include "ops/top_k.h"

#include "ops/cuda/each.cuh"
#include "ops/cuda/select.cuh"
#include "ops/math/order.h"

namespace soma::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int64_t kSharedKeys = 2048;

struct RowKey {
  const float* row;
  __device__ uint64_t operator()(int64_t i) const {
    return order_key(row[i], static_cast<uint32_t>(i));
  }
};

struct Rows {
  const float* x;
  int64_t columns, k, padded;  // padded: k up to a power of two
  uint64_t* scratch;           // [rows, padded]; null where shared memory holds the keys
};

__global__ void __launch_bounds__(kThreads) top_k_kernel(Rows in, float* value, int32_t* index) {
  SHARED(int32_t, found, [1]);
  const int64_t row = blockIdx.x;
  const RowKey key = {in.x + row * in.columns};
  uint64_t* keys =
      in.scratch != nullptr ? in.scratch + row * in.padded : gpu::dynamic_shared<uint64_t>();
  const uint64_t last = in.k < in.columns ? block_select(in.columns, in.k, key) : kNoKey;
  if (threadIdx.x == 0) found[0] = 0;
  __syncthreads();
  for (int64_t i = threadIdx.x; i < in.columns; i += blockDim.x) {
    if (key(i) <= last) keys[atomicAdd(&found[0], 1)] = key(i);
  }
  for (int64_t i = in.k + threadIdx.x; i < in.padded; i += blockDim.x) keys[i] = kNoKey;
  __syncthreads();
  block_sort(keys, in.padded);
  for (int64_t i = threadIdx.x; i < in.k; i += blockDim.x) {
    const uint32_t column = order_index(keys[i]);
    value[row * in.k + i] = key.row[column];
    index[row * in.k + i] = static_cast<int32_t>(column);
  }
}

}  // namespace

void top_k(const Tensor& x, const TopK& out) {
  const int64_t rows = x.extent(0), k = out.value.extent(1);
  if (rows == 0 || k == 0) return;
  const int64_t padded = power_of_two_from(k);
  const bool shared = padded <= kSharedKeys;
  const Tensor scratch = Tensor::empty({shared ? 0 : rows, padded}, DType::i64, Device::cuda);
  const Rows in = {x.data<float>(), x.extent(1), k, padded,
                   shared ? nullptr : reinterpret_cast<uint64_t*>(scratch.data<int64_t>())};
  launch(top_k_kernel, static_cast<unsigned>(rows), kThreads,
         shared ? static_cast<size_t>(padded) * sizeof(uint64_t) : 0, in, out.value.data<float>(),
         out.index.data<int32_t>());
}

}  // namespace soma::cuda
