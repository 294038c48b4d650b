// The maths of one box or one pair of boxes, host and device. Boxes are (x1, y1, x2, y2), f32,
// corners on pixel edges. Nothing here may be contracted into multiply-adds: matching and NMS
// decide by equality and thresholds, which must fall the same way everywhere.
#pragma once
#include <cmath>
#include <limits>

#include "base/host_device.h"

namespace soma {

struct Box {
  float x1, y1, x2, y2;
};

HD inline Box load_box(const float* corners) {
  return {corners[0], corners[1], corners[2], corners[3]};
}

HD inline float box_area(const Box& box) { return (box.x2 - box.x1) * (box.y2 - box.y1); }

// Area common to both; 0 when apart, touching or inverted.
HD inline float box_overlap(const Box& a, const Box& b) {
  const float x1 = a.x1 < b.x1 ? b.x1 : a.x1, y1 = a.y1 < b.y1 ? b.y1 : a.y1;
  const float x2 = b.x2 < a.x2 ? b.x2 : a.x2, y2 = b.y2 < a.y2 ? b.y2 : a.y2;
  const float width = x2 - x1, height = y2 - y1;
  return (width > 0 ? width : 0) * (height > 0 ? height : 0);
}

// Overlap / union as an f32 quotient, which may be NaN (0 / 0, or a NaN corner).
HD inline float box_quotient(const Box& a, const Box& b) {
  const float overlap = box_overlap(a, b);
  return overlap / (box_area(a) + box_area(b) - overlap);
}

// The smallest float above the threshold: quotient > threshold in double, decided in float.
inline float least_above(double threshold) {
  const float rounded = static_cast<float>(threshold);
  return rounded > threshold ? rounded
                             : std::nextafter(rounded, std::numeric_limits<float>::infinity());
}

// Intersection over union; what is no number counts as 0.
HD inline float box_iou(const Box& a, const Box& b) {
  const float quotient = box_quotient(a, b);
  return quotient > 0 ? quotient : 0;
}

// Weights of dx, dy, dw, dh and the upper clamp of dw and dh, in f32 as the references hold them.
struct CoderScales {
  float x, y, w, h, max_log_scale;
};

// delta[0..3] = the deltas that move `reference` onto `target`; zeros when either has no area.
HD inline void encode_box(const Box& reference, const Box& target, const CoderScales& scales,
                          float* delta) {
  const float w = reference.x2 - reference.x1, h = reference.y2 - reference.y1;
  const float target_w = target.x2 - target.x1, target_h = target.y2 - target.y1;
  const bool solid = w > 0 && h > 0 && target_w > 0 && target_h > 0;
  const float x = reference.x1 + 0.5f * w, y = reference.y1 + 0.5f * h;
  const float target_x = target.x1 + 0.5f * target_w, target_y = target.y1 + 0.5f * target_h;
  delta[0] = solid ? scales.x * (target_x - x) / w : 0;
  delta[1] = solid ? scales.y * (target_y - y) / h : 0;
  delta[2] = solid ? scales.w * std::log(target_w / w) : 0;
  delta[3] = solid ? scales.h * std::log(target_h / h) : 0;
}

// The box that `delta` makes of `reference`; only dw and dh are clamped, and only above.
HD inline Box decode_box(const Box& reference, const float* delta, const CoderScales& scales) {
  const float w = reference.x2 - reference.x1, h = reference.y2 - reference.y1;
  const float x = reference.x1 + 0.5f * w, y = reference.y1 + 0.5f * h;
  const float log_w = delta[2] / scales.w, log_h = delta[3] / scales.h;
  const float limit = scales.max_log_scale;
  const float new_x = delta[0] / scales.x * w + x, new_y = delta[1] / scales.y * h + y;
  const float half_w = 0.5f * (std::exp(log_w > limit ? limit : log_w) * w);
  const float half_h = 0.5f * (std::exp(log_h > limit ? limit : log_h) * h);
  return {new_x - half_w, new_y - half_h, new_x + half_w, new_y + half_h};
}

// NaN stays NaN, so that whoever drops it later sees it.
HD inline float clip_coordinate(float value, float limit) {
  return value < 0 ? 0 : value > limit ? limit : value;
}

}  // namespace soma
