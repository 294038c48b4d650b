// Resizing of NHWC tensors to a given size. nearest: source = floor(i * in / out) (torch
// "nearest"); bilinear: half-pixel centres, source = (i + .5) in / out - .5, clamped, no antialias
// (torch align_corners=False).
#pragma once
#include "autograd/variable.h"

namespace soma {

enum class Interpolation { nearest, bilinear };

// x [N, H, W, C] -> [N, height, width, C]; height, width >= 1.
Variable resize(const Variable& x, int64_t height, int64_t width, Interpolation mode);

// nearest-resized `coarse` [N, h, w, C] + `fine` [N, H, W, C]: the top-down step of an FPN in one
// pass over memory.
Variable resize_add(const Variable& coarse, const Variable& fine);

}  // namespace soma
