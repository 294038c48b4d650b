// The per-channel parts of batch normalisation, in f64; the passes over x are in norm.cpp.
#include "ops/batch_norm.h"

#include <cmath>

namespace soma::cpu {

void update_running(const RunningStatistics& running, const Tensor& mean, const Tensor& variance,
                    int64_t count, double momentum) {
  with_float(running.mean.dtype(), "batch_norm", [&](auto type) {
    using T = decltype(type);
    const double n = static_cast<double>(count), unbiased = n / (n - 1);
    const auto move = [momentum](T& value, double batch) {
      value = static_cast<T>((1 - momentum) * static_cast<double>(value) + momentum * batch);
    };
    for (int64_t c = 0; c < running.mean.numel(); ++c) {
      move(running.mean.data<T>()[c], mean.data<double>()[c]);
      move(running.variance.data<T>()[c], variance.data<double>()[c] * unbiased);
    }
  });
}

void fold_batch_norm(const FoldedNorm& affine, const RunningStatistics& running, double eps,
                     const FoldedNorm& out) {
  with_float(out.scale.dtype(), "fold_batch_norm", [&](auto type) {
    using T = decltype(type);
    const T *gamma = affine.scale.data<T>(), *beta = affine.shift.data<T>();
    const T *mean = running.mean.data<T>(), *variance = running.variance.data<T>();
    for (int64_t c = 0; c < out.scale.numel(); ++c) {
      const double scale = gamma[c] / std::sqrt(static_cast<double>(variance[c]) + eps);
      out.scale.data<T>()[c] = static_cast<T>(scale);
      out.shift.data<T>()[c] = static_cast<T>(beta[c] - mean[c] * scale);
    }
  });
}

}  // namespace soma::cpu
