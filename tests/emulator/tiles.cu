#include "tests/emulator/tiles.h"

#include "ops/cuda/gemm.cuh"

namespace soma::test {
namespace {

cuda::Matrix<float, true> rows_of(const Tensor& x) {
  return {x.data<float>(), x.extent(0), x.extent(1)};
}

}  // namespace

void multiply_with_tiles(int side, const Tensor& a, const Tensor& b, const Tensor& out) {
  const int64_t columns = out.extent(1);
  const cuda::GemmSize size = {a.extent(0), columns, a.extent(1)};
  const cuda::StoreRows<float> store = {out.data<float>(), nullptr, nullptr,
                                        columns,           columns, false};
  if (side == 32) cuda::launch_gemm<float, 32>(size, rows_of(a), rows_of(b), store);
  if (side == 64) cuda::launch_gemm<float, 64>(size, rows_of(a), rows_of(b), store);
  if (side == 128) cuda::launch_gemm<float, 128>(size, rows_of(a), rows_of(b), store);
}

}  // namespace soma::test
