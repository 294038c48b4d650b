// Boxes: (x1, y1, x2, y2) in pixels, f32, corners on pixel edges (no +1 anywhere). Element maths in
// ops/math/box.h. No gradients.
#pragma once
#include <array>

#include "tensor/tensor.h"

namespace soma {

// a [A, 4], b [B, 4] -> IoU [A, B]; 0 / 0 is NaN-free: 0.
Tensor box_iou(const Tensor& a, const Tensor& b);

struct BoxCoder {
  std::array<double, 4> weights = {1, 1, 1, 1};  // dx, dy, dw, dh
  double max_log_scale = 4.135166556742356;      // log(1000 / 16): upper clamp of dw and dh only
};

// Deltas that move `reference` [K, 4] onto `target` [K, 4] (R-CNN, appendix C). Rows where either
// has no area give zeros.
Tensor encode_boxes(const Tensor& reference, const Tensor& target, const BoxCoder& coder);
// reference [K, 4], deltas [K, 4 C] -> boxes [K, 4 C].
Tensor decode_boxes(const Tensor& reference, const Tensor& deltas, const BoxCoder& coder);
// boxes [..., 4] clipped to [0, width] x [0, height].
Tensor clip_boxes(const Tensor& boxes, double height, double width);

namespace cpu {
void box_iou(const Tensor& a, const Tensor& b, const Tensor& out);
void encode_boxes(const Tensor& reference, const Tensor& target, const BoxCoder& coder,
                  const Tensor& deltas);
void decode_boxes(const Tensor& reference, const Tensor& deltas, const BoxCoder& coder,
                  const Tensor& boxes);
void clip_boxes(const Tensor& boxes, double height, double width, const Tensor& out);
}  // namespace cpu
namespace cuda {
void box_iou(const Tensor& a, const Tensor& b, const Tensor& out);
void encode_boxes(const Tensor& reference, const Tensor& target, const BoxCoder& coder,
                  const Tensor& deltas);
void decode_boxes(const Tensor& reference, const Tensor& deltas, const BoxCoder& coder,
                  const Tensor& boxes);
void clip_boxes(const Tensor& boxes, double height, double width, const Tensor& out);
}  // namespace cuda

}  // namespace soma
