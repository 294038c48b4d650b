// Column sums: each chunk of rows adds up in its own line, the lines are added in chunk order.
#include "ops/bias_grad.h"

#include "base/parallel.h"
#include "tensor/any_dtype.h"

namespace soma::cpu {

void bias_grad(const Tensor& grad, const Tensor& sum) {
  with_layer_type(grad.dtype(), "bias_grad", [&](auto type) {
    using T = decltype(type);
    using Value = Working<T>;
    constexpr int64_t chunk = 256;
    const int64_t columns = sum.numel(), rows = grad.shape().product(0, grad.rank() - 1);
    const int64_t chunks = (rows + chunk - 1) / chunk;
    const Tensor lines = Tensor::zeros({chunks, columns}, sum.dtype());
    parallel_chunks(rows, chunk, [&](int64_t first, int64_t last) {
      Value* const line = lines.data<Value>() + first / chunk * columns;
      const T* values = grad.data<T>() + first * columns;
      for (int64_t row = first; row < last; ++row, values += columns) {
        for (int64_t c = 0; c < columns; ++c) line[c] += widen(values[c]);
      }
    });
    for (int64_t c = 0; c < columns; ++c) {
      double total = 0;
      for (int64_t i = 0; i < chunks; ++i) total += lines.data<Value>()[i * columns + c];
      sum.data<Value>()[c] = static_cast<Value>(total);
    }
  });
}

}  // namespace soma::cpu
