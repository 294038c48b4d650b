// Column sums: each chunk of rows adds up in its own line, the lines are added in chunk order.
#include "ops/bias_grad.h"

#include "base/parallel.h"

namespace soma::cpu {

void bias_grad(const Tensor& grad, const Tensor& sum) {
  with_float(grad.dtype(), "bias_grad", [&](auto type) {
    using T = decltype(type);
    constexpr int64_t chunk = 256;
    const int64_t columns = sum.numel(), rows = grad.shape().product(0, grad.rank() - 1);
    const int64_t chunks = (rows + chunk - 1) / chunk;
    const Tensor lines = Tensor::zeros({chunks, columns}, grad.dtype());
    parallel_chunks(rows, chunk, [&](int64_t first, int64_t last) {
      T* const line = lines.data<T>() + first / chunk * columns;
      const T* values = grad.data<T>() + first * columns;
      for (int64_t row = first; row < last; ++row, values += columns) {
        for (int64_t c = 0; c < columns; ++c) line[c] += values[c];
      }
    });
    for (int64_t c = 0; c < columns; ++c) {
      double total = 0;
      for (int64_t i = 0; i < chunks; ++i) total += lines.data<T>()[i * columns + c];
      sum.data<T>()[c] = static_cast<T>(total);
    }
  });
}

}  // namespace soma::cpu
