// Joins tensors along one axis.
#pragma once
#include "autograd/variable.h"

namespace soma {

// Shapes equal but for `axis`; at least one tensor; empty ones are fine.
Variable concat(const std::vector<Variable>& parts, int axis);

namespace cpu {
void concat_forward(const std::vector<Tensor>& parts, int axis, const Tensor& out);
// Fills those gradients that are defined; `extents` are all parts' along `axis`.
void concat_backward(const Tensor& grad, int axis, const std::vector<int64_t>& extents,
                     const std::vector<Tensor>& grads);
}  // namespace cpu
namespace cuda {
void concat_forward(const std::vector<Tensor>& parts, int axis, const Tensor& out);
// Fills those gradients that are defined; `extents` are all parts' along `axis`.
void concat_backward(const Tensor& grad, int axis, const std::vector<int64_t>& extents,
                     const std::vector<Tensor>& grads);
}  // namespace cuda

}  // namespace soma
