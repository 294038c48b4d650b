// The optimisers' maths of one element, host and device.
#pragma once
#include <cmath>
#include <cstdint>

#include "base/host_device.h"

namespace soma {

// What gradients are multiplied with so that their norm is at most `limit` (0: no limit); NaN,
// which changes nothing, where the norm is not finite.
HD inline double clip_factor(double norm, double limit) {
  if (!(norm - norm == 0)) return norm - norm;
  return limit > 0 && norm > limit ? limit / norm : 1;
}

// Dynamic loss scaling: scale[0] is what the loss was multiplied with, scale[1] how many steps in
// a row were finite with it. From the norm of such gradients: their own norm, their factor, and the
// next scale, half where they were not finite, double after enough steps that were.
HD inline void unscale_clip(double limit, double* norm, double* factor, double* scale) {
  constexpr double kLeast = 1, kMost = 1 << 24, kSteps = 2000;
  norm[0] /= scale[0];
  factor[0] = clip_factor(norm[0], limit) / scale[0];
  if (!(factor[0] == factor[0])) {
    scale[0] = scale[0] / 2 > kLeast ? scale[0] / 2 : kLeast;
    scale[1] = 0;
  } else if (++scale[1] == kSteps) {
    scale[0] = scale[0] * 2 < kMost ? scale[0] * 2 : kMost;
    scale[1] = 0;
  }
}

template <class T>
struct AdamWFactors {
  T rate, root, beta1, beta2, eps;  // the bias corrections are in rate and root

  HD AdamWFactors(double step_rate, double b1, double b2, double e, int64_t count)
      : rate(static_cast<T>(step_rate / (1 - std::pow(b1, static_cast<double>(count))))),
        root(static_cast<T>(1 / std::sqrt(1 - std::pow(b2, static_cast<double>(count))))),
        beta1(static_cast<T>(b1)),
        beta2(static_cast<T>(b2)),
        eps(static_cast<T>(e)) {}
};

template <class T>
HD inline void adamw_element(const AdamWFactors<T>& f, T grad, T shrink, T& w, T& m, T& v) {
  m = f.beta1 * m + (1 - f.beta1) * grad;
  v = f.beta2 * v + (1 - f.beta2) * grad * grad;
  w = w * shrink - f.rate * m / (std::sqrt(v) * f.root + f.eps);
}

}  // namespace soma
