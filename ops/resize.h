// Resizing of NHWC tensors to a given size. nearest: source = floor(i * in / out), exact (torch
// "nearest", which rounds in f32 and so takes the pixel before at a few sizes); bilinear:
// half-pixel centres, source = (i + .5) in / out - .5, clamped, no antialias (torch
// align_corners=False).
#pragma once
#include "autograd/variable.h"
#include "ops/math/resize.h"

namespace soma {

// x [N, H, W, C] -> [N, height, width, C]; height, width >= 1.
Variable resize(const Variable& x, int64_t height, int64_t width, Interpolation mode);

// nearest-resized `coarse` [N, h, w, C] + `fine` [N, H, W, C]: the top-down step of an FPN in one
// pass over memory.
Variable resize_add(const Variable& coarse, const Variable& fine);

namespace cpu {
void resize_forward(const Tensor& x, Interpolation mode, const Tensor& out);
void resize_backward(const Tensor& grad, Interpolation mode, const Tensor& grad_x);
void resize_add(const Tensor& coarse, const Tensor& fine, const Tensor& out);
}  // namespace cpu
namespace cuda {
void resize_forward(const Tensor& x, Interpolation mode, const Tensor& out);
void resize_backward(const Tensor& grad, Interpolation mode, const Tensor& grad_x);
void resize_add(const Tensor& coarse, const Tensor& fine, const Tensor& out);
}  // namespace cuda

}  // namespace soma
