// Max pooling, NHWC. Padding counts as minus infinity; the first of equal values (row-major within
// the window) takes the gradient, as torch. A ReLU before it may be done here: the largest value is
// the same, and the larger map need not be kept for a gradient.
#pragma once
#include "autograd/variable.h"

namespace soma {

struct MaxPool2dSpec {
  int kernel = 3;  // at most 15
  int stride = 2;
  int pad = 1;  // at most kernel / 2
  bool relu = false;
};

// x [N, H, W, C] -> [N, (H + 2 pad - kernel) / stride + 1, ..., C]. NaN wins, as torch.
Variable max_pool2d(const Variable& x, const MaxPool2dSpec& spec);

// winner u8, like out: the place in the window (row * kernel + column) that gave the maximum, or
// kNoPlace where the ReLU gave 0; undefined when no gradient is wanted.
namespace cpu {
void max_pool2d_forward(const Tensor& x, const MaxPool2dSpec& spec, const Tensor& out,
                        const Tensor& winner);
void max_pool2d_backward(const Tensor& grad, const Tensor& winner, const MaxPool2dSpec& spec,
                         const Tensor& grad_x);
}  // namespace cpu
namespace cuda {
void max_pool2d_forward(const Tensor& x, const MaxPool2dSpec& spec, const Tensor& out,
                        const Tensor& winner);
void max_pool2d_backward(const Tensor& grad, const Tensor& winner, const MaxPool2dSpec& spec,
                         const Tensor& grad_x);
}  // namespace cuda

}  // namespace soma
