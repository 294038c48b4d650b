// Which pixels a pixel of a resized image is made of, along one axis, host and device.
// torchvision: torch's upsample_bilinear2d with align_corners=False, indices and weights in float
// as there. detectron2: Pillow's triangle filter in 22-bit fixed point (precompute_coeffs and
// normalize_coeffs_8bpc), across first, rounded to bytes, then down (every Pillow before 13; 13
// goes down first where the height shrinks by over twice what the width does).
#pragma once
#include <cstdint>

#include "base/host_device.h"

namespace soma {

// An axis of `in` pixels that becomes one of `out`.
struct ResizedAxis {
  int64_t in, out;
};

// value = source[first] * (1 - weight) + source[second] * weight.
struct LinearTaps {
  int64_t first, second;
  float weight;
};

HD inline LinearTaps linear_taps(const ResizedAxis& axis, int64_t i) {
  const float scale = static_cast<float>(axis.in) / static_cast<float>(axis.out);
  const float at = scale * (static_cast<float>(i) + 0.5f) - 0.5f;
  const float source = at > 0 ? at : 0.0f;
  const int64_t whole = static_cast<int64_t>(source);
  const int64_t first = whole < axis.in - 1 ? whole : axis.in - 1;
  const float rest = source - static_cast<float>(first);
  return {first, first + 1 < axis.in - 1 ? first + 1 : axis.in - 1, rest > 1 ? 1.0f : rest};
}

HD inline float blend(float a, float b, float weight) { return a * (1 - weight) + b * weight; }

// Of Pillow's filter: the pixels [first, last) weigh in.
struct FixedTaps {
  int64_t first, last;
  double centre, inverse;  // of the triangle, and of its half width
};

constexpr int kFixedBits = 22;
constexpr int32_t kFixedHalf = 1 << (kFixedBits - 1);  // sums begin with it

HD inline FixedTaps fixed_taps(const ResizedAxis& axis, int64_t i) {
  const double scale = static_cast<double>(axis.in) / static_cast<double>(axis.out);
  const double reach = scale > 1 ? scale : 1;
  const double centre = (static_cast<double>(i) + 0.5) * scale;
  const int64_t first = static_cast<int64_t>(centre - reach + 0.5);
  const int64_t last = static_cast<int64_t>(centre + reach + 0.5);
  return {first > 0 ? first : 0, last < axis.in ? last : axis.in, centre, 1.0 / reach};
}

// No pixel of the axis has more taps.
HD inline int64_t most_fixed_taps(const ResizedAxis& axis) {
  const int64_t twice = 2 * axis.in / axis.out;
  return (twice > 2 ? twice : 2) + 2;
}

HD inline double triangle(const FixedTaps& taps, int64_t x) {
  const double from_centre = (static_cast<double>(x) - taps.centre + 0.5) * taps.inverse;
  const double distance = from_centre < 0 ? -from_centre : from_centre;
  return distance < 1 ? 1 - distance : 0;
}

// The weights of taps.first ... last - 1; they sum up to about 1 << kFixedBits.
HD inline void fixed_weights(const FixedTaps& taps, int32_t* weights) {
  double sum = 0;
  for (int64_t x = taps.first; x < taps.last; ++x) sum += triangle(taps, x);
  for (int64_t x = taps.first; x < taps.last; ++x) {
    const double weight = triangle(taps, x);
    *weights++ = static_cast<int32_t>(0.5 + (sum != 0 ? weight / sum : weight) * (1 << kFixedBits));
  }
}

HD inline uint8_t from_fixed(int32_t sum) {
  const int32_t value = sum >> kFixedBits;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

}  // namespace soma
