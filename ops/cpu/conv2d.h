// What conv2d and conv_transpose2d share on the CPU: the forward pass on packed weights, and
// backward-data with an epilogue, which is the transposed convolution.
#pragma once
#include <vector>

#include "ops/conv2d.h"

namespace soma::cpu {

// The sizes of a convolution; x [images, height, width, groups * in], out [images, out_height,
// out_width, groups * out].
struct ConvSizes {
  int64_t images, height, width, in;
  int64_t out_height, out_width, out;
  int64_t kernel_y, kernel_x, stride, pad, groups;
};
ConvSizes conv_sizes(const Shape& x, const Shape& weight, const Shape& out, const Conv2dSpec& spec);

// The weights of a prepared model: transformed where winograd_fits, else in panels.
Tensor pack_conv(const Tensor& weight, const Conv2dSpec& spec, Precision precision);
void conv2d_on_packed(const Tensor& x, const Shape& weight, const Tensor& packed,
                      const Tensor& bias, const Tensor& residual, const Conv2dSpec& spec,
                      const Tensor& out);

// For each phase of the stride that a tap reaches, by its first tap (y, x), row-major: the weights
// of its taps.
std::vector<Tensor> pack_phases(const Tensor& weight, const Conv2dSpec& spec, Precision precision);
void conv_backward_data(const ConvSizes& sizes, const Tensor& grad,
                        const std::vector<Tensor>& phases, const Tensor& bias, bool relu,
                        const Tensor& grad_x);

}  // namespace soma::cpu
