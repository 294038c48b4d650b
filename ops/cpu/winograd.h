// Winograd's convolution (winograd_kernel.h): 3x3, stride 1, one group, f32, or between maps of
// bf16 with f32 in between, weights and their gradient included. About a quarter of the
// multiplications of the direct way, for an error two to three times as large.
#pragma once
#include "ops/cpu/conv2d.h"

namespace soma::cpu {

// The rule, by shape alone. Of a prepared model only the weight [out, kh, kw, in / groups] counts,
// since its weights are transformed once; in training they are transformed at every call, which
// takes enough output pixels to pay.
bool winograd_fits(const Shape& weight, DType dtype, const Conv2dSpec& spec);
bool winograd_pays(const ConvSizes& sizes, DType dtype);

// The transformed weights [36, ...] of the forward and of the backward-data pass. In
// bf16_transformed, with an even number of input channels, they are pairs of bf16, [36, ..., 2],
// and so are the windows that winograd_forward multiplies them with; the sums stay f32.
Tensor winograd_forward_weights(const Tensor& weight, Precision precision = Precision::f32);
Tensor winograd_backward_weights(const Tensor& weight);

// The arguments are those of conv_forward, conv2d_backward_data and conv2d_backward_weight.
void winograd_forward(const ConvSizes& sizes, const Tensor& x, const Tensor& weights,
                      const Tensor& bias, const Tensor& residual, bool relu, const Tensor& out);
void winograd_backward_data(const ConvSizes& sizes, const Tensor& grad, const Tensor& weights,
                            const Tensor& grad_x);
void winograd_backward_weight(const ConvSizes& sizes, const Tensor& x, const Tensor& grad,
                              const Tensor& grad_weight);

}  // namespace soma::cpu
