// Fully connected layer: y = x W^T + b, optionally followed by ReLU in the same store.
#pragma once
#include <memory>

#include "autograd/variable.h"
#include "ops/precision.h"

namespace soma {

struct PackedGemm;  // weights in the kernel's panel order; immutable

// x [K, in], weight [out, in], bias [out] or undefined -> [K, out]. K may be 0. bf16 as in conv2d.
Variable linear(const Variable& x, const Variable& weight, const Variable& bias, bool relu = false);

// Inference: the weights packed once. bf16 is for f32 weights on the CPU; an odd number of inputs
// stays f32.
std::shared_ptr<const PackedGemm> pack_linear(const Tensor& weight,
                                              Precision precision = Precision::f32);
Tensor linear_packed(const Tensor& x, const PackedGemm& weight, const Tensor& bias, bool relu);

namespace cpu {
void linear_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
                    const Tensor& out);
void linear_backward_data(const Tensor& grad, const Tensor& weight, const Tensor& grad_x);
void linear_backward_weight(const Tensor& x, const Tensor& grad, const Tensor& grad_weight);
}  // namespace cpu
namespace cuda {
void linear_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
                    const Tensor& out);
void linear_backward_data(const Tensor& grad, const Tensor& weight, const Tensor& grad_x);
void linear_backward_weight(const Tensor& x, const Tensor& grad, const Tensor& grad_weight);
}  // namespace cuda

}  // namespace soma
