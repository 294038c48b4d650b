// The backward halves of an epilogue, shared by linear, conv2d and conv_transpose2d: their stores
// add a bias and apply ReLU. Plain tensors: these are gradients already.
#pragma once
#include "tensor/tensor.h"

namespace soma {

// grad [..., C] -> the sum over all rows, [C], f32 of bf16. Fixed order of addition.
Tensor bias_grad(const Tensor& grad);
// grad where out > 0, else 0, in place where nobody else holds grad; grad itself when out is
// undefined (no ReLU).
Tensor relu_masked(const Tensor& out, const Tensor& grad);

namespace cpu {
void bias_grad(const Tensor& grad, const Tensor& sum);
}  // namespace cpu
namespace cuda {
void bias_grad(const Tensor& grad, const Tensor& sum);
}  // namespace cuda

}  // namespace soma
