// Reorders the axes of a tensor (a copy: tensors are always contiguous), and reshape as an op.
#pragma once
#include <vector>

#include "autograd/variable.h"

namespace soma {

// result.extent(i) == x.extent(order[i]); `order` is a permutation of 0 .. rank-1.
Variable permute(const Variable& x, const std::vector<int>& order);

// The same elements under another shape; no copy.
Variable reshape(const Variable& x, const Shape& shape);

namespace cpu {
void permute(const Tensor& x, const std::vector<int>& order, const Tensor& out);
}  // namespace cpu
namespace cuda {
void permute(const Tensor& x, const std::vector<int>& order, const Tensor& out);
}  // namespace cuda

}  // namespace soma
