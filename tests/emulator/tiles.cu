#include "tests/emulator/tiles.h"

#include "ops/cuda/gemm.cuh"

namespace soma::test {
namespace {

using cuda::GemmWay;

template <class S, bool kFirst>
cuda::Matrix<S, kFirst> matrix(const Tensor& x) {
  return {x.data<S>(), x.extent(kFirst ? 0 : 1), x.extent(1)};
}

template <GemmWay kWay, class S, bool kFirst>
void multiply(int side, const Tensor& a, const Tensor& b, const Tensor& out) {
  const auto left = matrix<S, kFirst>(a), right = matrix<S, kFirst>(b);
  const int64_t columns = out.extent(1);
  const cuda::GemmSize size = {out.extent(0), columns, a.extent(kFirst ? 1 : 0)};
  const cuda::StoreRows<float> store = {out.data<float>(), nullptr, nullptr,
                                        columns,           columns, false};
  if (side == 32) cuda::launch_gemm<kWay, 32>(size, left, right, store);
  if (side == 64) cuda::launch_gemm<kWay, 64>(size, left, right, store);
  if constexpr (kWay != GemmWay::fragments) {
    if (side == 128) cuda::launch_gemm<kWay, 128>(size, left, right, store);
  }
}

template <GemmWay kWay, class S>
void multiply(const TilesCase& c, const Tensor& a, const Tensor& b, const Tensor& out) {
  c.transposed ? multiply<kWay, S, false>(c.side, a, b, out)
               : multiply<kWay, S, true>(c.side, a, b, out);
}

}  // namespace

void multiply_with_tiles(const TilesCase& c, const Tensor& a, const Tensor& b, const Tensor& out) {
  switch (c.by) {
    case Tiles::fma_f32:
      return multiply<GemmWay::fma, float>(c, a, b, out);
    case Tiles::fma_f16:
      return multiply<GemmWay::fma, f16>(c, a, b, out);
    case Tiles::fragments:
      return multiply<GemmWay::fragments, f16>(c, a, b, out);
    case Tiles::fragments_of_runs:
      return multiply<GemmWay::fragments_of_runs, f16>(c, a, b, out);
  }
}

}  // namespace soma::test
