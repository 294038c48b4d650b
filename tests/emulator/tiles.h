// A product by tiles of one side, whatever gemm() would choose for its size.
#pragma once
#include "tensor/tensor.h"

namespace soma::test {

// a [M, K], b [N, K] -> out [M, N], f32 on the device; side 32, 64 or 128.
void multiply_with_tiles(int side, const Tensor& a, const Tensor& b, const Tensor& out);

}  // namespace soma::test
