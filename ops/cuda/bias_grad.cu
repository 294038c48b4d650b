// Column sums: blocks of 32 columns by 8 rows, so that loads lie side by side; each chunk of rows
// gives a line of sums, and the lines are added in order.
#include "ops/bias_grad.h"

#include "ops/cuda/each.cuh"

namespace soma::cuda {
namespace {

constexpr int kColumns = 32, kRows = 8;
constexpr int64_t kRowsPerChunk = 256, kMaxChunks = 1024;

template <class T>
__global__ void __launch_bounds__(kColumns* kRows)
    column_sums_kernel(const T* grad, int64_t rows, int64_t columns, int64_t chunk, double* lines) {
  SHARED(double, parts, [kRows][kColumns]);
  const int64_t column = int64_t{blockIdx.x} * kColumns + threadIdx.x;
  const int64_t first = int64_t{blockIdx.y} * chunk;
  const int64_t last = first + chunk < rows ? first + chunk : rows;
  double total = 0;
  for (int64_t row = first + threadIdx.y; row < last && column < columns; row += kRows) {
    total += static_cast<double>(gpu::widen(grad[row * columns + column]));
  }
  parts[threadIdx.y][threadIdx.x] = total;
  __syncthreads();
  if (threadIdx.y == 0 && column < columns) {
    for (int row = 1; row < kRows; ++row) total += parts[row][threadIdx.x];
    lines[int64_t{blockIdx.y} * columns + column] = total;
  }
}

template <class T>
struct AddLines {
  const double* lines;
  int64_t count, columns;
  T* sum;
  __device__ void operator()(int64_t column) const {
    double total = 0;
    for (int64_t i = 0; i < count; ++i) total += lines[i * columns + column];
    sum[column] = gpu::narrow<T>(static_cast<gpu::Value<T>>(total));
  }
};

}  // namespace

void bias_grad(const Tensor& grad, const Tensor& sum) {
  gpu::with_stored(grad.dtype(), "bias_grad", [&](auto type) {
    using T = decltype(type);
    const int64_t columns = sum.numel(), rows = grad.shape().product(0, grad.rank() - 1);
    const int64_t chunk = std::max(kRowsPerChunk, (rows + kMaxChunks - 1) / kMaxChunks);
    const int64_t chunks = (rows + chunk - 1) / chunk;
    const Tensor lines = Tensor::empty({chunks, columns}, DType::f64, Device::cuda);
    if (chunks > 0 && columns > 0) {
      launch(column_sums_kernel<T>,
             dim3(blocks_for(columns, kColumns), static_cast<unsigned>(chunks)),
             dim3(kColumns, kRows), 0, grad.data<T>(), rows, columns, chunk, lines.data<double>());
    }
    each(columns, AddLines<T>{lines.data<double>(), chunks, columns, sum.data<T>()});
  });
}

}  // namespace soma::cuda
