// Where a resized position reads from, one axis, host and device. The rules are in ops/resize.h.
#pragma once
#include <cstdint>

#include "base/host_device.h"

namespace soma {

enum class Interpolation { nearest, bilinear };

// out = x[low] (1 - weight) + x[high] weight.
struct ResizeTap {
  int64_t low, high;
  double weight;
};

HD inline ResizeTap resize_tap(int64_t i, int64_t in, int64_t out, Interpolation mode) {
  if (mode == Interpolation::nearest) return {i * in / out, i * in / out, 0};
  const double ratio = static_cast<double>(in) / static_cast<double>(out);
  const double source = (static_cast<double>(i) + 0.5) * ratio - 0.5;
  const double clamped = source > 0 ? source : 0;
  const int64_t floor = static_cast<int64_t>(clamped), low = floor < in - 1 ? floor : in - 1;
  return {low, low + 1 < in - 1 ? low + 1 : in - 1, clamped - static_cast<double>(low)};
}

}  // namespace soma
