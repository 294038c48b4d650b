// Convolution by cuDNN, NHWC, with algorithms that give the same bits every time. Each is false
// where the library is not wanted, not there, or has none that fits; nothing was written then.
#pragma once
#include "ops/conv2d.h"

namespace soma::cuda {

bool library_conv_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const Tensor& residual, const Conv2dSpec& spec, const Tensor& out);
bool library_conv_backward_data(const Tensor& grad, const Tensor& weight, const Conv2dSpec& spec,
                                const Tensor& grad_x);
bool library_conv_backward_weight(const Tensor& x, const Tensor& grad, const Conv2dSpec& spec,
                                  const Tensor& grad_weight);

}  // namespace soma::cuda
