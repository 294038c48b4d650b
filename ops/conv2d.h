// 2-D convolution (cross-correlation, as every framework's), NHWC, as an implicit matrix product:
// rows are output pixels, columns output channels, the inner axis is (kh, kw, in/groups).
#pragma once
#include <memory>

#include "autograd/variable.h"
#include "ops/precision.h"

namespace soma {

struct FoldedNorm;  // ops/batch_norm.h

struct Conv2dSpec {
  int stride = 1;
  int pad = 0;  // rows and columns of zeros on every side
  int groups = 1;
  bool relu = false;
};

// x [N, H, W, C], weight [O, kh, kw, C/groups], bias [O] or undefined, residual [N, OH, OW, O] or
// undefined -> relu?(conv(x) + bias + residual), OH = (H + 2 pad - kh) / stride + 1. N may be 0.
// On the CPU also bf16 maps beside f32 weight and bias (nn/half.h): gradients are of the type of
// what they belong to.
Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias,
                const Variable& residual, const Conv2dSpec& spec);
// The same of weight[o, ...] scale[o]: what a norm with fixed statistics makes of a layer's weight,
// which stays f32 beside f16. No gradient to scale.
Variable conv2d_scaled(const Variable& x, const Variable& weight, const FoldedNorm& norm,
                       const Variable& residual, const Conv2dSpec& spec);
// Shape of the result; Error when the shapes do not fit.
Shape conv2d_shape(const Shape& x, const Shape& weight, const Conv2dSpec& spec);

// Inference: the weights packed once (each lives once, in its packed form). bf16 is for f32 weights
// on the CPU; layers that Winograd's transforms make faster in f32, and those with an odd number of
// channels in a group, stay f32.
struct PackedConv2d;
std::shared_ptr<const PackedConv2d> pack_conv2d(const Tensor& weight, const Conv2dSpec& spec,
                                                Precision precision = Precision::f32);
Tensor conv2d_packed(const Tensor& x, const PackedConv2d& weight, const Tensor& bias,
                     const Tensor& residual);

namespace cpu {
void conv2d_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, const Conv2dSpec& spec, const Tensor& out);
void conv2d_backward_data(const Tensor& grad, const Tensor& weight, const Conv2dSpec& spec,
                          const Tensor& grad_x);
void conv2d_backward_weight(const Tensor& x, const Tensor& grad, const Conv2dSpec& spec,
                            const Tensor& grad_weight);
}  // namespace cpu
namespace cuda {
void conv2d_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, const Conv2dSpec& spec, const Tensor& out);
void conv2d_backward_data(const Tensor& grad, const Tensor& weight, const Conv2dSpec& spec,
                          const Tensor& grad_x);
void conv2d_backward_weight(const Tensor& x, const Tensor& grad, const Conv2dSpec& spec,
                            const Tensor& grad_weight);
}  // namespace cuda

}  // namespace soma
