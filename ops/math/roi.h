// Where RoIAlign samples, one axis of one RoI, host and device (He et al. 2017, section 3). The
// arithmetic is torchvision's, operation by operation.
#pragma once
#include <cmath>
#include <cstdint>

#include "base/host_device.h"

namespace soma {

// How an axis is cut: `bins` bins, `sampling_ratio` samples in each (0: one per cell, rounded up).
struct RoiGrid {
  int bins;
  int sampling_ratio;
  bool aligned;
};

// In cells of the feature map: bin b covers [start + b * bin, start + (b + 1) * bin).
template <class T>
struct RoiAxis {
  T start, bin;
  int32_t samples;  // per bin; 0 for an aligned RoI without extent, and where a corner is no number
};

// Denser sampling than this per bin is cut: such a RoI is far larger than any feature map.
inline constexpr int32_t kMaxRoiSamples = 1 << 20;

template <class T>
HD inline RoiAxis<T> roi_axis(float first, float last, T scale, const RoiGrid& grid) {
  const T shift = grid.aligned ? T(0.5) : T(0);
  const T start = static_cast<T>(first) * scale - shift;
  T side = static_cast<T>(last) * scale - shift - start;
  if (!grid.aligned && side < 1) side = 1;
  const T bins = static_cast<T>(grid.bins), bin = side / bins;
  const bool finite = side - side == 0;
  if (grid.sampling_ratio > 0) return {start, bin, finite ? grid.sampling_ratio : 0};
  const T dense = std::ceil(bin);
  if (!finite || !(dense > 0)) return {start, bin, 0};
  return {start, bin, dense < T(kMaxRoiSamples) ? static_cast<int32_t>(dense) : kMaxRoiSamples};
}

template <class T>
HD inline T roi_sample(const RoiAxis<T>& axis, int32_t bin, int32_t sample) {
  return axis.start + static_cast<T>(bin) * axis.bin +
         (static_cast<T>(sample) + T(0.5)) * axis.bin / static_cast<T>(axis.samples);
}

// The samples of a bin that can lie on a map of `extent` cells: all, but for huge RoIs, of which
// only few do.
struct SampleRange {
  int32_t first, last;
};
template <class T>
HD inline SampleRange roi_sample_range(const RoiAxis<T>& axis, int32_t bin, int32_t extent) {
  constexpr int32_t kFew = 64;
  if (axis.samples <= kFew || !(axis.bin > 0)) return {0, axis.samples};
  const double count = axis.samples, step = static_cast<double>(axis.bin) / count;
  const double origin = static_cast<double>(axis.start) + bin * static_cast<double>(axis.bin);
  const double first = std::floor((-1 - origin) / step) - 2;
  const double last = std::ceil((extent - origin) / step) + 2;
  const double low = first > 0 ? first : 0, high = last < count ? last : count;
  if (!(low < high)) return {0, 0};
  return {static_cast<int32_t>(low), static_cast<int32_t>(high)};
}

}  // namespace soma
