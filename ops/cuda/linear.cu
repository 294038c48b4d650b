// A fully connected layer is three matrix products, by cuBLASLt or by soma's own kernel.
#include "ops/linear.h"

#include "ops/cuda/gemm.cuh"
#include "ops/cuda/libraries.h"

namespace soma::cuda {
namespace {

// [lines, depth] row-major, or its transpose.
template <class T>
Matrix<T, true> rows_of(const Tensor& x) {
  return {x.data<T>(), x.extent(0), x.extent(1)};
}
template <class T>
Matrix<T, false> columns_of(const Tensor& x) {
  return {x.data<T>(), x.extent(1), x.extent(1)};
}

}  // namespace

void linear_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
                    const Tensor& out) {
  if (library_product({x, weight, false, true, x.extent(0), out.extent(1), x.extent(1), bias,
                       Tensor(), relu, out})) {
    return;
  }
  with_float(out.dtype(), "linear", [&](auto type) {
    using T = decltype(type);
    const int64_t columns = out.extent(1);
    const StoreRows<T> store = {
        out.data<T>(), bias.defined() ? bias.data<T>() : nullptr, nullptr, columns, columns, relu};
    gemm<T>({x.extent(0), columns, x.extent(1)}, rows_of<T>(x), rows_of<T>(weight), store);
  });
}

void linear_backward_data(const Tensor& grad, const Tensor& weight, const Tensor& grad_x) {
  if (library_product({grad, weight, false, false, grad.extent(0), weight.extent(1),
                       weight.extent(0), Tensor(), Tensor(), false, grad_x})) {
    return;
  }
  with_float(grad_x.dtype(), "linear", [&](auto type) {
    using T = decltype(type);
    const int64_t columns = grad_x.extent(1);
    const StoreRows<T> store = {grad_x.data<T>(), nullptr, nullptr, columns, columns, false};
    gemm<T>({grad.extent(0), columns, grad.extent(1)}, rows_of<T>(grad), columns_of<T>(weight),
            store);
  });
}

void linear_backward_weight(const Tensor& x, const Tensor& grad, const Tensor& grad_weight) {
  if (library_product({grad, x, true, false, grad.extent(1), x.extent(1), x.extent(0), Tensor(),
                       Tensor(), false, grad_weight})) {
    return;
  }
  with_float(grad_weight.dtype(), "linear", [&](auto type) {
    using T = decltype(type);
    gemm_long<T>({grad.extent(1), x.extent(1), x.extent(0)}, columns_of<T>(grad), columns_of<T>(x),
                 grad_weight);
  });
}

}  // namespace soma::cuda
