// Loss kernels: rows in fixed chunks, each chunk's sum in f64, added in chunk order. The gradient
// recomputes what it needs from the predictions; nothing is kept from the forward pass.
#include "ops/losses.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "ops/math/loss.h"

namespace soma::cpu {
namespace {

constexpr int64_t kChunk = 4096;  // elements per task: these loops call exp and log

int64_t rows_per_chunk(int64_t columns) {
  return std::max<int64_t>(1, kChunk / std::max<int64_t>(1, columns));
}

// out = the sum of row_loss(row) over all rows / normalizer; a sum of exactly 0 stays 0, also
// when nothing counts and the normalizer is 0.
template <class T, class RowLoss>
void write_loss(int64_t rows, int64_t columns, const Tensor& normalizer, const Tensor& out,
                RowLoss row_loss) {
  const int64_t grain = rows_per_chunk(columns);
  std::vector<double> partial(static_cast<size_t>((rows + grain - 1) / grain));
  parallel_chunks(rows, grain, [&](int64_t first, int64_t last) {
    double total = 0;
    for (int64_t row = first; row < last; ++row) total += row_loss(row);
    partial[static_cast<size_t>(first / grain)] = total;
  });
  double total = 0;
  for (const double part : partial) total += part;
  out.data<T>()[0] = static_cast<T>(total == 0 ? 0 : total / normalizer.data<T>()[0]);
}

template <class T>
T gradient_factor(const LossScale& scale) {
  return scale.grad.data<T>()[0] / scale.normalizer.data<T>()[0];
}

// Writes exp(x - max x) and returns its sum; `largest` is max x.
template <class T>
T shifted_exponentials(const T* x, int64_t count, T& largest, T* out) {
  largest = largest_of(x, count);
  T total = 0;
  for (int64_t c = 0; c < count; ++c) total += out[c] = std::exp(x[c] - largest);
  return total;
}

}  // namespace

void softmax_cross_entropy_forward(const Tensor& logits, const Tensor& label,
                                   const Tensor& normalizer, const Tensor& out) {
  with_float(logits.dtype(), "softmax_cross_entropy", [&](auto type) {
    using T = decltype(type);
    const T* x = logits.data<T>();
    const int32_t* labels = label.data<int32_t>();
    const int64_t classes = logits.extent(1);
    write_loss<T>(logits.extent(0), classes, normalizer, out, [=](int64_t row) {
      if (labels[row] < 0 || labels[row] >= classes) return T{0};
      return cross_entropy(x + row * classes, classes, labels[row]);
    });
  });
}

void softmax_cross_entropy_backward(const Tensor& logits, const Tensor& label,
                                    const LossScale& scale, const Tensor& grad_logits) {
  with_float(logits.dtype(), "softmax_cross_entropy", [&](auto type) {
    using T = decltype(type);
    const T* x = logits.data<T>();
    T* result = grad_logits.data<T>();
    const int32_t* labels = label.data<int32_t>();
    const int64_t classes = logits.extent(1);
    const T factor = gradient_factor<T>(scale);
    parallel_chunks(logits.extent(0), rows_per_chunk(classes), [=](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        T* grad = result + row * classes;
        if (labels[row] < 0 || labels[row] >= classes) {
          std::fill_n(grad, classes, T{0});
          continue;
        }
        T largest;
        const T total = shifted_exponentials(x + row * classes, classes, largest, grad);
        for (int64_t c = 0; c < classes; ++c) {
          grad[c] = (grad[c] / total - (c == labels[row] ? 1 : 0)) * factor;
        }
      }
    });
  });
}

void binary_cross_entropy_forward(const Tensor& logits, const Tensor& target,
                                  const Tensor& normalizer, const Tensor& out) {
  with_float(logits.dtype(), "binary_cross_entropy_with_logits", [&](auto type) {
    using T = decltype(type);
    const T *x = logits.data<T>(), *t = target.data<T>();
    write_loss<T>(logits.numel(), 1, normalizer, out, [=](int64_t i) {
      if (t[i] < 0) return T{0};
      return binary_cross_entropy(x[i], t[i]);
    });
  });
}

void binary_cross_entropy_backward(const Tensor& logits, const Tensor& target,
                                   const LossScale& scale, const Tensor& grad_logits) {
  with_float(logits.dtype(), "binary_cross_entropy_with_logits", [&](auto type) {
    using T = decltype(type);
    const T *x = logits.data<T>(), *t = target.data<T>();
    T* result = grad_logits.data<T>();
    const T factor = gradient_factor<T>(scale);
    parallel_chunks(logits.numel(), kChunk, [=](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        result[i] = t[i] < 0 ? 0 : binary_cross_entropy_gradient(x[i], t[i]) * factor;
      }
    });
  });
}

void smooth_l1_forward(const SmoothL1Input& input, const Tensor& normalizer, const Tensor& out) {
  with_float(input.prediction.dtype(), "smooth_l1", [&](auto type) {
    using T = decltype(type);
    const T *x = input.prediction.data<T>(), *t = input.target.data<T>();
    const int32_t* counted = input.counted.data<int32_t>();
    const int64_t columns = input.prediction.extent(1);
    const T beta = static_cast<T>(input.beta);
    write_loss<T>(input.prediction.extent(0), columns, normalizer, out, [=](int64_t row) {
      T total = 0;
      if (counted[row] <= 0) return total;
      for (int64_t i = row * columns; i < (row + 1) * columns; ++i) {
        total += soma::smooth_l1(x[i] - t[i], beta);
      }
      return total;
    });
  });
}

void smooth_l1_backward(const SmoothL1Input& input, const LossScale& scale,
                        const Tensor& grad_prediction) {
  with_float(input.prediction.dtype(), "smooth_l1", [&](auto type) {
    using T = decltype(type);
    const T *x = input.prediction.data<T>(), *t = input.target.data<T>();
    T* result = grad_prediction.data<T>();
    const int32_t* counted = input.counted.data<int32_t>();
    const int64_t rows = input.prediction.extent(0), columns = input.prediction.extent(1);
    const T beta = static_cast<T>(input.beta), factor = gradient_factor<T>(scale);
    parallel_chunks(rows, rows_per_chunk(columns), [=](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        T* grad = result + row * columns;
        if (counted[row] <= 0) {
          std::fill_n(grad, columns, T{0});
          continue;
        }
        for (int64_t i = row * columns; i < (row + 1) * columns; ++i) {
          result[i] = smooth_l1_gradient(x[i] - t[i], beta) * factor;
        }
      }
    });
  });
}

void softmax(const Tensor& logits, const Tensor& out) {
  with_float(logits.dtype(), "softmax", [&](auto type) {
    using T = decltype(type);
    const T* x = logits.data<T>();
    T* result = out.data<T>();
    const int64_t classes = logits.extent(1);
    if (classes == 0) return;
    parallel_chunks(logits.extent(0), rows_per_chunk(classes), [=](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        T* values = result + row * classes;
        T largest;
        const T total = shifted_exponentials(x + row * classes, classes, largest, values);
        for (int64_t c = 0; c < classes; ++c) values[c] /= total;
      }
    });
  });
}

}  // namespace soma::cpu
