// A product by tiles of one side and one way, whatever gemm() would choose for its size.
#pragma once
#include "tensor/tensor.h"

namespace soma::test {

// What multiplies: FMA of f32 or of widened f16, or tensor cores, whose f16 is loaded one by one or
// in runs of 8.
enum class Tiles { fma_f32, fma_f16, fragments, fragments_of_runs };
struct TilesCase {
  Tiles by;
  int side;         // 32, 64 or, but for Tiles::fragments, 128
  bool transposed;  // a [K, M] and b [K, N]
};

// a [M, K], b [N, K] -> out [M, N], on the device; a and b as `by` says, out f32.
void multiply_with_tiles(const TilesCase& c, const Tensor& a, const Tensor& b, const Tensor& out);

}  // namespace soma::test
