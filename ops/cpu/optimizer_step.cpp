// Optimiser kernels: one pass over memory, in fixed chunks.
#include "ops/optimizer_step.h"

#include <cmath>
#include <vector>

#include "base/parallel.h"

namespace soma::cpu {
namespace {

constexpr int64_t kChunk = 1 << 14;

// Calls body(i) for every element, in parallel chunks.
template <class Body>
void each(int64_t count, Body body) {
  parallel_chunks(count, kChunk, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) body(i);
  });
}

}  // namespace

void sgd_step(const Tensor& weight, const Tensor& grad, const Tensor& velocity,
              const SgdStep& step) {
  with_float(weight.dtype(), "sgd_step", [&](auto type) {
    using T = decltype(type);
    T *w = weight.data<T>(), *v = velocity.data<T>();
    const T* g = grad.data<T>();
    const T rate = static_cast<T>(step.rate), momentum = static_cast<T>(step.momentum);
    const T decay = static_cast<T>(step.weight_decay), scale = static_cast<T>(step.grad_scale);
    each(weight.numel(), [=](int64_t i) {
      v[i] = momentum * v[i] + (scale * g[i] + decay * w[i]);
      w[i] -= rate * v[i];
    });
  });
}

void adamw_step(const Tensor& weight, const Tensor& grad, const Tensor& first, const Tensor& second,
                const AdamWStep& step) {
  with_float(weight.dtype(), "adamw_step", [&](auto type) {
    using T = decltype(type);
    T *w = weight.data<T>(), *m = first.data<T>(), *v = second.data<T>();
    const T* g = grad.data<T>();
    const double count = static_cast<double>(step.count);
    const T shrink = static_cast<T>(1 - step.rate * step.weight_decay);
    const T rate = static_cast<T>(step.rate / (1 - std::pow(step.beta1, count)));
    const T root = static_cast<T>(1 / std::sqrt(1 - std::pow(step.beta2, count)));
    const T beta1 = static_cast<T>(step.beta1), beta2 = static_cast<T>(step.beta2);
    const T eps = static_cast<T>(step.eps), scale = static_cast<T>(step.grad_scale);
    each(weight.numel(), [=](int64_t i) {
      const T grad_i = scale * g[i];
      m[i] = beta1 * m[i] + (1 - beta1) * grad_i;
      v[i] = beta2 * v[i] + (1 - beta2) * grad_i * grad_i;
      w[i] = w[i] * shrink - rate * m[i] / (std::sqrt(v[i]) * root + eps);
    });
  });
}

void average_step(const Tensor& average, const Tensor& value, double decay) {
  with_float(value.dtype(), "average_step", [&](auto type) {
    using T = decltype(type);
    T* a = average.data<T>();
    const T* x = value.data<T>();
    const T share = static_cast<T>(1 - decay);
    each(value.numel(), [=](int64_t i) { a[i] += share * (x[i] - a[i]); });
  });
}

double squared_norm(const Tensor& x) {
  return with_float(x.dtype(), "squared_norm", [&](auto type) {
    using T = decltype(type);
    const T* values = x.data<T>();
    std::vector<double> partial(static_cast<size_t>((x.numel() + kChunk - 1) / kChunk), 0.0);
    parallel_chunks(x.numel(), kChunk, [&](int64_t first, int64_t last) {
      double total = 0;
      for (int64_t i = first; i < last; ++i) total += double{values[i]} * double{values[i]};
      partial[static_cast<size_t>(first / kChunk)] = total;
    });
    double total = 0;
    for (const double part : partial) total += part;
    return total;
  });
}

}  // namespace soma::cpu
