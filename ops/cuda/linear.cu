// A fully connected layer is three matrix products, by cuBLASLt or by soma's own kernel.
#include "ops/linear.h"

#include "ops/cuda/gemm.cuh"
#include "ops/cuda/libraries.h"

namespace soma::cuda {
namespace {

// [lines, depth] row-major, or its transpose.
template <class S>
Matrix<S, true> rows_of(const Tensor& x) {
  return {x.data<S>(), x.extent(0), x.extent(1)};
}
template <class S>
Matrix<S, false> columns_of(const Tensor& x) {
  return {x.data<S>(), x.extent(1), x.extent(1)};
}

}  // namespace

void linear_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
                    const Tensor& out) {
  if (library_product({x, weight, false, true, x.extent(0), out.extent(1), x.extent(1), bias,
                       Tensor(), relu, out})) {
    return;
  }
  gpu::with_stored(out.dtype(), "linear", [&](auto type) {
    using S = decltype(type);
    const int64_t columns = out.extent(1);
    const StoreRows<S> store = {
        out.data<S>(), bias.defined() ? bias.data<S>() : nullptr, nullptr, columns, columns, relu};
    gemm({x.extent(0), columns, x.extent(1)}, rows_of<S>(x), rows_of<S>(weight), store);
  });
}

void linear_backward_data(const Tensor& grad, const Tensor& weight, const Tensor& grad_x) {
  if (library_product({grad, weight, false, false, grad.extent(0), weight.extent(1),
                       weight.extent(0), Tensor(), Tensor(), false, grad_x})) {
    return;
  }
  gpu::with_stored(grad_x.dtype(), "linear", [&](auto type) {
    using S = decltype(type);
    const int64_t columns = grad_x.extent(1);
    const StoreRows<S> store = {grad_x.data<S>(), nullptr, nullptr, columns, columns, false};
    gemm({grad.extent(0), columns, grad.extent(1)}, rows_of<S>(grad), columns_of<S>(weight), store);
  });
}

void linear_backward_weight(const Tensor& x, const Tensor& grad, const Tensor& grad_weight) {
  if (library_product({grad, x, true, false, grad.extent(1), x.extent(1), x.extent(0), Tensor(),
                       Tensor(), false, grad_weight})) {
    return;
  }
  gpu::with_stored(grad_weight.dtype(), "linear", [&](auto type) {
    using S = decltype(type);
    gemm_long<S>({grad.extent(1), x.extent(1), x.extent(0)}, columns_of<S>(grad), columns_of<S>(x),
                 grad_weight);
  });
}

}  // namespace soma::cuda
