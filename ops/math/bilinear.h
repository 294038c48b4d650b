// Bilinear sampling along one axis, host and device, with RoIAlign's edge rule (the same in
// torchvision and detectron2): a position below -1 or above the extent counts as 0, others are
// clamped to the cells there are.
#pragma once
#include <cstdint>

#include "base/host_device.h"

namespace soma {

// The two cells that a position lies between. Not inside: counts as 0, and the rest is undefined.
template <class T>
struct LinearTap {
  bool inside;
  int32_t low, high;
  T weight_low, weight_high;
};

// Whatever the position is, NaN too, low and high of an inside tap are in [0, extent).
template <class T>
HD inline LinearTap<T> linear_tap(T position, int32_t extent) {
  const bool inside = extent > 0 && position >= -1 && position <= static_cast<T>(extent);
  if (!inside) return {false, 0, 0, 0, 0};
  const T clamped = position > 0 ? position : T{0};
  const auto low = static_cast<int32_t>(clamped);
  if (low >= extent - 1) return {true, extent - 1, extent - 1, 1, 0};
  const T high_part = clamped - static_cast<T>(low);
  return {true, low, low + 1, 1 - high_part, high_part};
}

}  // namespace soma
