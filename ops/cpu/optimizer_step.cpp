// Optimiser kernels: one pass over memory, in fixed chunks.
#include "ops/optimizer_step.h"

#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "ops/math/optimizer.h"

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

double sum_of_squares(const Tensor& x) {
  return with_float(x.dtype(), "clip_gradients", [&](auto type) {
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

}  // namespace

void clip_gradients(const std::vector<Tensor>& grads, double limit, const Clip& out) {
  double total = 0;
  for (size_t i = 0; i < grads.size(); ++i) {
    total += out.squares.data<double>()[i] = sum_of_squares(grads[i]);
  }
  out.norm.data<double>()[0] = std::sqrt(total);
  out.factor.data<double>()[0] = clip_factor(std::sqrt(total), limit);
}

void unscale(const Clip& clip, double limit, const Tensor& scale) {
  unscale_clip(limit, clip.norm.data<double>(), clip.factor.data<double>(), scale.data<double>());
}

void sgd_step(const std::vector<OptimizerSlot>& slots, const SgdStep& step, const Tensor& factor) {
  if (std::isnan(factor.item())) return;
  with_float(slots[0].weight.dtype(), "sgd_step", [&](auto type) {
    using T = decltype(type);
    const T rate = static_cast<T>(step.rate), momentum = static_cast<T>(step.momentum);
    const T scale = static_cast<T>(factor.item());
    for (const OptimizerSlot& slot : slots) {
      T *w = slot.weight.data<T>(), *v = slot.first.data<T>();
      const T* g = slot.grad.data<T>();
      const T decay = static_cast<T>(slot.weight_decay);
      each(slot.weight.numel(), [=](int64_t i) {
        v[i] = momentum * v[i] + (scale * g[i] + decay * w[i]);
        w[i] -= rate * v[i];
      });
    }
  });
}

void adamw_step(const std::vector<OptimizerSlot>& slots, const AdamWStep& step,
                const Tensor& factor) {
  if (std::isnan(factor.item())) return;
  with_float(slots[0].weight.dtype(), "adamw_step", [&](auto type) {
    using T = decltype(type);
    const int64_t count = ++step.count.data<int64_t>()[0];
    const AdamWFactors<T> f(step.rate, step.beta1, step.beta2, step.eps, count);
    const T scale = static_cast<T>(factor.item());
    for (const OptimizerSlot& slot : slots) {
      T *w = slot.weight.data<T>(), *m = slot.first.data<T>(), *v = slot.second.data<T>();
      const T* g = slot.grad.data<T>();
      const T shrink = static_cast<T>(1 - step.rate * slot.weight_decay);
      each(slot.weight.numel(),
           [=](int64_t i) { adamw_element(f, scale * g[i], shrink, w[i], m[i], v[i]); });
    }
  });
}

void average_step(const std::vector<OptimizerSlot>& slots, double decay) {
  with_float(slots[0].weight.dtype(), "average_step", [&](auto type) {
    using T = decltype(type);
    const T share = static_cast<T>(1 - decay);
    for (const OptimizerSlot& slot : slots) {
      T* a = slot.weight.data<T>();
      const T* x = slot.grad.data<T>();
      each(slot.weight.numel(), [=](int64_t i) { a[i] += share * (x[i] - a[i]); });
    }
  });
}

}  // namespace soma::cpu
