// Losses: the sum by reduce.cuh, the gradient as a map that recomputes what it needs. Rows that do
// not count give exactly 0.
#include "ops/losses.h"

#include "ops/cuda/each.cuh"
#include "ops/cuda/reduce.cuh"
#include "ops/math/loss.h"

namespace soma::cuda {
namespace {

// The sum / normalizer; a sum of exactly 0 stays 0, also when the normalizer is 0.
template <class T>
struct Normalise {
  const T* normalizer;
  T* out;
  __device__ void operator()(double total) const {
    out[0] = static_cast<T>(total == 0 ? 0 : total / static_cast<double>(normalizer[0]));
  }
};

template <class T>
struct Factor {
  const T *grad, *normalizer;
  __device__ T operator()() const { return grad[0] / normalizer[0]; }
};
template <class T>
Factor<T> factor_of(const LossScale& scale) {
  return {scale.grad.data<T>(), scale.normalizer.data<T>()};
}

template <class T>
struct Labelled {
  const T* x;
  const int32_t* label;
  int64_t classes;
  __device__ bool counts(int64_t row) const { return label[row] >= 0 && label[row] < classes; }
};
template <class T>
Labelled<T> labelled(const Tensor& logits, const Tensor& label) {
  return {logits.data<T>(), label.data<int32_t>(), logits.extent(1)};
}

template <class T>
struct CrossEntropy {
  Labelled<T> rows;
  __device__ double operator()(int64_t row) const {
    if (!rows.counts(row)) return 0;
    return static_cast<double>(
        cross_entropy(rows.x + row * rows.classes, rows.classes, rows.label[row]));
  }
};

template <class T>
struct CrossEntropyGradient {
  Labelled<T> rows;
  Factor<T> factor;
  T* out;
  __device__ void operator()(int64_t row) const {
    const int64_t classes = rows.classes;
    const T* x = rows.x + row * classes;
    T* grad = out + row * classes;
    const bool counts = rows.counts(row);
    const T largest = largest_of(x, classes), scale = counts ? factor() : T{0};
    T total = 0;
    for (int64_t c = 0; c < classes; ++c) total += std::exp(x[c] - largest);
    for (int64_t c = 0; c < classes; ++c) {
      const T share = std::exp(x[c] - largest) / total - (c == rows.label[row] ? 1 : 0);
      grad[c] = counts ? share * scale : T{0};
    }
  }
};

template <class T>
struct BinaryCrossEntropy {
  const T *x, *target;
  __device__ double operator()(int64_t i) const {
    return target[i] < 0 ? 0.0 : static_cast<double>(binary_cross_entropy(x[i], target[i]));
  }
};

template <class T>
struct BinaryCrossEntropyGradient {
  const T *x, *target;
  Factor<T> factor;
  T* out;
  __device__ void operator()(int64_t i) const {
    out[i] = target[i] < 0 ? T{0} : binary_cross_entropy_gradient(x[i], target[i]) * factor();
  }
};

template <class T>
struct Counted {
  const T *x, *target;
  const int32_t* counted;
  int64_t columns;
  T beta;
  __device__ bool counts(int64_t i) const { return counted[i / columns] > 0; }
};
template <class T>
Counted<T> counted_of(const SmoothL1Input& input) {
  return {input.prediction.data<T>(), input.target.data<T>(), input.counted.data<int32_t>(),
          input.prediction.extent(1), static_cast<T>(input.beta)};
}

template <class T>
struct SmoothL1 {
  Counted<T> rows;
  __device__ double operator()(int64_t i) const {
    if (!rows.counts(i)) return 0;
    return static_cast<double>(soma::smooth_l1(rows.x[i] - rows.target[i], rows.beta));
  }
};

template <class T>
struct SmoothL1Gradient {
  Counted<T> rows;
  Factor<T> factor;
  T* out;
  __device__ void operator()(int64_t i) const {
    out[i] = rows.counts(i) ? smooth_l1_gradient(rows.x[i] - rows.target[i], rows.beta) * factor()
                            : T{0};
  }
};

template <class T>
struct Softmax {
  const T* x;
  int64_t classes;
  T* out;
  __device__ void operator()(int64_t row) const {
    const T* from = x + row * classes;
    T* to = out + row * classes;
    const T largest = largest_of(from, classes);
    T total = 0;
    for (int64_t c = 0; c < classes; ++c) total += to[c] = std::exp(from[c] - largest);
    for (int64_t c = 0; c < classes; ++c) to[c] /= total;
  }
};

}  // namespace

void softmax_cross_entropy_forward(const Tensor& logits, const Tensor& label,
                                   const Tensor& normalizer, const Tensor& out) {
  with_float(logits.dtype(), "softmax_cross_entropy", [&](auto type) {
    using T = decltype(type);
    sum_of(logits.extent(0), CrossEntropy<T>{labelled<T>(logits, label)},
           Normalise<T>{normalizer.data<T>(), out.data<T>()});
  });
}

void softmax_cross_entropy_backward(const Tensor& logits, const Tensor& label,
                                    const LossScale& scale, const Tensor& grad_logits) {
  with_float(logits.dtype(), "softmax_cross_entropy", [&](auto type) {
    using T = decltype(type);
    each(logits.extent(0), CrossEntropyGradient<T>{labelled<T>(logits, label), factor_of<T>(scale),
                                                   grad_logits.data<T>()});
  });
}

void binary_cross_entropy_forward(const Tensor& logits, const Tensor& target,
                                  const Tensor& normalizer, const Tensor& out) {
  with_float(logits.dtype(), "binary_cross_entropy_with_logits", [&](auto type) {
    using T = decltype(type);
    sum_of(logits.numel(), BinaryCrossEntropy<T>{logits.data<T>(), target.data<T>()},
           Normalise<T>{normalizer.data<T>(), out.data<T>()});
  });
}

void binary_cross_entropy_backward(const Tensor& logits, const Tensor& target,
                                   const LossScale& scale, const Tensor& grad_logits) {
  with_float(logits.dtype(), "binary_cross_entropy_with_logits", [&](auto type) {
    using T = decltype(type);
    each(logits.numel(), BinaryCrossEntropyGradient<T>{logits.data<T>(), target.data<T>(),
                                                       factor_of<T>(scale), grad_logits.data<T>()});
  });
}

void smooth_l1_forward(const SmoothL1Input& input, const Tensor& normalizer, const Tensor& out) {
  with_float(input.prediction.dtype(), "smooth_l1", [&](auto type) {
    using T = decltype(type);
    sum_of(input.prediction.numel(), SmoothL1<T>{counted_of<T>(input)},
           Normalise<T>{normalizer.data<T>(), out.data<T>()});
  });
}

void smooth_l1_backward(const SmoothL1Input& input, const LossScale& scale,
                        const Tensor& grad_prediction) {
  with_float(input.prediction.dtype(), "smooth_l1", [&](auto type) {
    using T = decltype(type);
    each(input.prediction.numel(),
         SmoothL1Gradient<T>{counted_of<T>(input), factor_of<T>(scale), grad_prediction.data<T>()});
  });
}

void softmax(const Tensor& logits, const Tensor& out) {
  if (logits.extent(1) == 0) return;
  with_float(logits.dtype(), "softmax", [&](auto type) {
    using T = decltype(type);
    each(logits.extent(0), Softmax<T>{logits.data<T>(), logits.extent(1), out.data<T>()});
  });
}

}  // namespace soma::cuda
