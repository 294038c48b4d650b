// Elementwise kernels: memory-bound maps over fixed chunks; the sum adds chunk sums in chunk order.
#include "ops/elementwise.h"

#include <cmath>

#include "base/parallel.h"
#include "tensor/any_dtype.h"

namespace soma::cpu {
namespace {

constexpr int64_t kChunk = 1 << 15;

// out[i] = function(x[i], y[i]).
template <class Function>
void map(const char* who, const Tensor& x, const Tensor& y, const Tensor& out, Function function) {
  with_layer_type(out.dtype(), who, [&](auto type) {
    using T = decltype(type);
    const T *a = x.data<T>(), *b = y.data<T>();
    T* result = out.data<T>();
    parallel_chunks(out.numel(), kChunk, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        result[i] = convert_value<T>(function(widen(a[i]), widen(b[i])));
      }
    });
  });
}

}  // namespace

void add(const Tensor& a, const Tensor& b, const Tensor& out) {
  map("add", a, b, out, [](auto x, auto y) { return x + y; });
}

void multiply(const Tensor& a, const Tensor& b, const Tensor& out) {
  map("multiply", a, b, out, [](auto x, auto y) { return x * y; });
}

void scale(const Tensor& x, double factor, const Tensor& out) {
  map("scale", x, x, out, [factor](auto v, auto) { return v * static_cast<decltype(v)>(factor); });
}

void relu_forward(const Tensor& x, const Tensor& out) {
  map("relu", x, x, out, [](auto v, auto) { return v > 0 || std::isnan(v) ? v : decltype(v){0}; });
}

void relu_backward(const Tensor& out, const Tensor& grad, const Tensor& grad_x) {
  map("relu", out, grad, grad_x, [](auto y, auto g) { return y > 0 ? g : decltype(g){0}; });
}

void sigmoid_forward(const Tensor& x, const Tensor& out) {
  map("sigmoid", x, x, out, [](auto v, auto) { return 1 / (1 + std::exp(-v)); });
}

void sigmoid_backward(const Tensor& out, const Tensor& grad, const Tensor& grad_x) {
  map("sigmoid", out, grad, grad_x, [](auto y, auto g) { return g * y * (1 - y); });
}

void sum(const Tensor& x, const Tensor& out) {
  with_float(x.dtype(), "sum", [&](auto type) {
    using T = decltype(type);
    const T* values = x.data<T>();
    const int64_t chunks = (x.numel() + kChunk - 1) / kChunk;
    std::vector<double> partial(static_cast<size_t>(chunks), 0.0);
    parallel_chunks(x.numel(), kChunk, [&](int64_t first, int64_t last) {
      double total = 0;
      for (int64_t i = first; i < last; ++i) total += values[i];
      partial[static_cast<size_t>(first / kChunk)] = total;
    });
    double total = 0;
    for (const double part : partial) total += part;
    out.data<T>()[0] = static_cast<T>(total);
  });
}

void spread(const Tensor& value, const Tensor& out) { out.fill(value.item()); }

void scale_rows(const Tensor& x, const Tensor& factor, const Tensor& out) {
  with_float(x.dtype(), "scale_rows", [&](auto type) {
    using T = decltype(type);
    const T *values = x.data<T>(), *factors = factor.data<T>();
    T* result = out.data<T>();
    const int64_t rows = x.extent(0), columns = x.shape().product(1, x.rank());
    parallel_chunks(rows, 16, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        for (int64_t c = row * columns; c < (row + 1) * columns; ++c) {
          result[c] = values[c] * factors[row];
        }
      }
    });
  });
}

}  // namespace soma::cpu
