// The losses of one row or element and their gradients, host and device. The formulas are derived
// in docs/gradients.md.
#pragma once
#include <cmath>
#include <cstdint>

#include "base/host_device.h"

namespace soma {

// max of x[0, count).
template <class T>
HD inline T largest_of(const T* x, int64_t count) {
  T largest = x[0];
  for (int64_t c = 1; c < count; ++c) largest = largest < x[c] ? x[c] : largest;
  return largest;
}

// -log softmax(x)[label]; the difference to the largest is exact, so large logits lose nothing.
template <class T>
HD inline T cross_entropy(const T* x, int64_t count, int64_t label) {
  const T largest = largest_of(x, count);
  T total = 0;
  for (int64_t c = 0; c < count; ++c) total += std::exp(x[c] - largest);
  return (largest - x[label]) + std::log(total);
}

// max(x, 0) - x t + log(1 + exp(-|x|)), which never overflows.
template <class T>
HD inline T binary_cross_entropy(T x, T target) {
  return (x < 0 ? T{0} : x) - x * target + std::log1p(std::exp(-std::abs(x)));
}
template <class T>
HD inline T binary_cross_entropy_gradient(T x, T target) {
  return 1 / (1 + std::exp(-x)) - target;
}

template <class T>
HD inline T smooth_l1(T difference, T beta) {
  const T distance = std::abs(difference);
  return distance < beta ? T{0.5} * distance * distance / beta : distance - beta / 2;
}
template <class T>
HD inline T smooth_l1_gradient(T difference, T beta) {
  // NaN stays NaN.
  const T sign = difference > 0 ? T{1} : difference < 0 ? T{-1} : difference;
  return std::abs(difference) < beta ? difference / beta : sign;
}

}  // namespace soma
