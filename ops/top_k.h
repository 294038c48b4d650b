// The k largest of each row: score down, index up (NaN last).
#pragma once
#include "tensor/tensor.h"

namespace soma {

struct TopK {
  Tensor value;  // f32 [N, k]
  Tensor index;  // i32 [N, k]
};

// x f32 [N, M]; k is cut to M.
TopK top_k(const Tensor& x, int64_t k);

namespace cpu {
void top_k(const Tensor& x, const TopK& out);  // k is the extent of the results
}  // namespace cpu
namespace cuda {
void top_k(const Tensor& x, const TopK& out);  // k is the extent of the results
}  // namespace cuda

}  // namespace soma
