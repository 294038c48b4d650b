// Elementwise ops and the sum. Any shape, f32 or f64, on the CPU most bf16 too, computed in f32.
// Gradients: docs/gradients.md.
#pragma once
#include "autograd/variable.h"

namespace soma {

Variable add(const Variable& a, const Variable& b);       // same shape and type
Variable multiply(const Variable& a, const Variable& b);  // same shape and type
Variable scale(const Variable& x, double factor);
Variable scale_gradient(const Variable& x, double factor);  // x itself; its gradient times factor
Variable relu(const Variable& x);                           // gradient 0 at 0, as torch
Variable sigmoid(const Variable& x);
Variable sum(const Variable& x);  // a scalar; fixed order of addition, any thread count

// Another float type, and the gradient back; x itself where it has it.
Variable cast(const Variable& x, DType dtype);

// weight [O, ...] times factor [O], row by row: folds a frozen norm's scale into a convolution. In
// place where nobody else holds `weight`.
Tensor scale_rows(Tensor weight, const Tensor& factor);

namespace cpu {
void add(const Tensor& a, const Tensor& b, const Tensor& out);
void multiply(const Tensor& a, const Tensor& b, const Tensor& out);
void scale(const Tensor& x, double factor, const Tensor& out);
void relu_forward(const Tensor& x, const Tensor& out);
void relu_backward(const Tensor& out, const Tensor& grad, const Tensor& grad_x);
void sigmoid_forward(const Tensor& x, const Tensor& out);
void sigmoid_backward(const Tensor& out, const Tensor& grad, const Tensor& grad_x);
void sum(const Tensor& x, const Tensor& out);
void spread(const Tensor& value, const Tensor& out);  // the one value everywhere
void scale_rows(const Tensor& x, const Tensor& factor, const Tensor& out);
}  // namespace cpu
namespace cuda {
void add(const Tensor& a, const Tensor& b, const Tensor& out);
void multiply(const Tensor& a, const Tensor& b, const Tensor& out);
void scale(const Tensor& x, double factor, const Tensor& out);
void relu_forward(const Tensor& x, const Tensor& out);
void relu_backward(const Tensor& out, const Tensor& grad, const Tensor& grad_x);
void sigmoid_forward(const Tensor& x, const Tensor& out);
void sigmoid_backward(const Tensor& out, const Tensor& grad, const Tensor& grad_x);
void sum(const Tensor& x, const Tensor& out);
void spread(const Tensor& value, const Tensor& out);  // the one value everywhere
void scale_rows(const Tensor& x, const Tensor& factor, const Tensor& out);
}  // namespace cuda

}  // namespace soma
