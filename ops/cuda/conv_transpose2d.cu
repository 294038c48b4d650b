// The transposed convolution is a convolution's backward-data pass, and its own backward passes are
// that convolution's forward and backward-weight passes with x and grad changing places.
#include "ops/conv_transpose2d.h"

#include "ops/cuda/conv.cuh"

namespace soma::cuda {
namespace {

Conv2dSpec conv_spec(const ConvTranspose2dSpec& spec, bool relu) {
  return {spec.stride, spec.pad, 1, relu};
}

}  // namespace

void conv_transpose2d_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                              const ConvTranspose2dSpec& spec, const Tensor& out) {
  conv_backward_data(x, weight, bias, conv_spec(spec, spec.relu), out);
}

void conv_transpose2d_backward_data(const Tensor& grad, const Tensor& weight,
                                    const ConvTranspose2dSpec& spec, const Tensor& grad_x) {
  conv2d_forward(grad, weight, Tensor(), Tensor(), conv_spec(spec, false), grad_x);
}

void conv_transpose2d_backward_weight(const Tensor& x, const Tensor& grad,
                                      const ConvTranspose2dSpec& spec, const Tensor& grad_weight) {
  conv2d_backward_weight(grad, x, conv_spec(spec, false), grad_weight);
}

}  // namespace soma::cuda
