// The per-channel parts of batch normalisation, in f64; the passes over x are in norm.cu.
#include "ops/batch_norm.h"

#include <cmath>

#include "ops/cuda/each.cuh"

namespace soma::cuda {
namespace {

template <class T>
struct Update {
  const double* batch;
  double factor, momentum;
  T* running;
  __device__ void operator()(int64_t c) const {
    running[c] = static_cast<T>((1 - momentum) * static_cast<double>(running[c]) +
                                momentum * (batch[c] * factor));
  }
};

template <class T>
struct Fold {
  const T *gamma, *beta, *mean, *variance;
  double eps;
  T *scale, *shift;
  __device__ void operator()(int64_t c) const {
    const double factor =
        static_cast<double>(gamma[c]) / std::sqrt(static_cast<double>(variance[c]) + eps);
    scale[c] = static_cast<T>(factor);
    shift[c] = static_cast<T>(static_cast<double>(beta[c]) - static_cast<double>(mean[c]) * factor);
  }
};

}  // namespace

void update_running(const RunningStatistics& running, const Tensor& mean, const Tensor& variance,
                    int64_t count, double momentum) {
  with_float(running.mean.dtype(), "batch_norm", [&](auto type) {
    using T = decltype(type);
    const double n = static_cast<double>(count);
    each(mean.numel(), Update<T>{mean.data<double>(), 1, momentum, running.mean.data<T>()});
    each(mean.numel(),
         Update<T>{variance.data<double>(), n / (n - 1), momentum, running.variance.data<T>()});
  });
}

void fold_batch_norm(const FoldedNorm& affine, const RunningStatistics& running, double eps,
                     const FoldedNorm& out) {
  with_float(out.scale.dtype(), "fold_batch_norm", [&](auto type) {
    using T = decltype(type);
    each(out.scale.numel(),
         Fold<T>{affine.scale.data<T>(), affine.shift.data<T>(), running.mean.data<T>(),
                 running.variance.data<T>(), eps, out.scale.data<T>(), out.shift.data<T>()});
  });
}

}  // namespace soma::cuda
