// Transposed 2-D convolution, NHWC: the gradient of conv2d with respect to its input, as a layer.
#pragma once
#include <memory>

#include "autograd/variable.h"
#include "ops/precision.h"

namespace soma {

struct ConvTranspose2dSpec {
  int stride = 2;
  int pad = 0;
  bool relu = false;
};

// x [N, H, W, C], weight [C, kh, kw, O], bias [O] or undefined -> [N, OH, OW, O] with
// OH = (H - 1) stride - 2 pad + kh. Where kernel == stride (the mask head's 2x2) it is one matrix
// product and a shuffle. bf16 as in conv2d.
Variable conv_transpose2d(const Variable& x, const Variable& weight, const Variable& bias,
                          const ConvTranspose2dSpec& spec);

// Inference: the weights packed once. bf16 is for f32 weights on the CPU; an odd number of input
// channels stays f32.
struct PackedConvTranspose2d;
std::shared_ptr<const PackedConvTranspose2d> pack_conv_transpose2d(
    const Tensor& weight, const ConvTranspose2dSpec& spec, Precision precision = Precision::f32);
Tensor conv_transpose2d_packed(const Tensor& x, const PackedConvTranspose2d& weight,
                               const Tensor& bias);

namespace cpu {
void conv_transpose2d_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                              const ConvTranspose2dSpec& spec, const Tensor& out);
void conv_transpose2d_backward_data(const Tensor& grad, const Tensor& weight,
                                    const ConvTranspose2dSpec& spec, const Tensor& grad_x);
void conv_transpose2d_backward_weight(const Tensor& x, const Tensor& grad,
                                      const ConvTranspose2dSpec& spec, const Tensor& grad_weight);
}  // namespace cpu
namespace cuda {
void conv_transpose2d_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                              const ConvTranspose2dSpec& spec, const Tensor& out);
void conv_transpose2d_backward_data(const Tensor& grad, const Tensor& weight,
                                    const ConvTranspose2dSpec& spec, const Tensor& grad_x);
void conv_transpose2d_backward_weight(const Tensor& x, const Tensor& grad,
                                      const ConvTranspose2dSpec& spec, const Tensor& grad_weight);
}  // namespace cuda

}  // namespace soma
