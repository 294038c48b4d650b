// Pasting a box-sized mask into the image, one axis at a time, host and device. The mask is padded
// by one cell of zeros on either side; a pixel lies between two neighbouring padded cells. What the
// two rules do is in ops/paste_masks.h.
#pragma once
#include <cstdint>

#include "base/host_device.h"

namespace soma {

enum class PasteRule {
  torchvision,  // pad by 1, grow the box by (S+2)/S, truncate corners, resize half-pixel, clamp
  detectron2,   // sample at pixel centres, zero outside, on the float box
};

// Pixels [first, last) can be inside; all others are 0. None where first >= last.
struct PasteAxis {
  PasteRule rule;
  int32_t size;         // cells of the unpadded mask
  int64_t first, last;  // within the image
  int64_t corner;       // torchvision: pixel at which the padded mask begins
  float start, scale;   // detectron2: the box's corner and side; torchvision: cells per pixel
};

// Cells `low` and `low + 1` of the padded mask, the latter weighing `part`.
struct PasteTap {
  int32_t low;
  float part;
};

// A box whose corners are not finite has no pixel, nor has one without a side under detectron2.
HD inline PasteAxis paste_axis(PasteRule rule, float first, float last, int32_t size,
                               int64_t extent) {
  PasteAxis axis = {rule, size, 0, 0, 0, first, last - first};
  const auto pixels = static_cast<double>(extent);
  if (rule == PasteRule::detectron2) {
    if (!(axis.scale > 0) || !(axis.scale - axis.scale == 0)) return axis;
    const double margin = 0.5 * axis.scale / size + 1.5;  // half a cell, and rounding
    const double low = first - margin, high = last + margin;
    axis.first = low > 0 ? static_cast<int64_t>(low < pixels ? low : pixels) : 0;
    axis.last = high > 0 ? static_cast<int64_t>(high < pixels ? high : pixels) : 0;
    return axis;
  }
  const float padded = static_cast<float>(size + 2);
  const float grow = static_cast<float>(static_cast<double>(size + 2) / size);
  const float half = (last - first) * 0.5f * grow, centre = (last + first) * 0.5f;
  const float low = centre - half, high = centre + half;
  constexpr float kFar = 1e9f;  // beyond any image; keeps the integers exact
  if (!(low > -kFar && low < kFar && high > -kFar && high < kFar)) return axis;
  axis.corner = static_cast<int64_t>(low);
  const int64_t end = static_cast<int64_t>(high) + 1;
  const int64_t length = end - axis.corner > 1 ? end - axis.corner : 1;
  axis.scale = padded / static_cast<float>(length);
  axis.first = axis.corner > 0 ? axis.corner : 0;
  axis.last = end < extent ? end : extent;
  return axis;
}

HD inline PasteTap paste_tap(const PasteAxis& axis, int64_t pixel) {
  float at;
  if (axis.rule == PasteRule::detectron2) {
    const float centre = static_cast<float>(pixel) + 0.5f;
    at = (centre - axis.start) / axis.scale * static_cast<float>(axis.size) + 0.5f;
  } else {
    at = axis.scale * (static_cast<float>(pixel - axis.corner) + 0.5f) - 0.5f;
  }
  const float top = static_cast<float>(axis.size + 1);
  at = at > 0 ? at < top ? at : top : 0;
  const auto cell = static_cast<int32_t>(at);
  const int32_t low = cell < axis.size ? cell : axis.size;
  return {low, at - static_cast<float>(low)};
}

}  // namespace soma
