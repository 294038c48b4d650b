// A fully connected layer is a 1x1 convolution of one row of pixels; the products do not care.
#include "ops/cpu/linear.h"

#include "ops/cpu/gemm.h"

namespace soma::cpu {
namespace {

// The rows of a matrix as the only axis of a gather.
RowsProduct rows_times_panels(int64_t rows, int64_t in, int64_t out, bool relu) {
  const GatherAxis one = {1, 1, 1, 0, 1, 1, 0, 1, 1};
  const GatherAxis row_axis = {rows, 1, 1, 0, 1, rows, 0, 1, rows};
  return {1, one, row_axis, 1, in, out, relu};
}

}  // namespace

Tensor linear_panels(const Tensor& weight, Precision precision) {
  return pack_forward(weight, 1, 1, weight.extent(1), precision);
}

void linear_on_panels(const Tensor& x, const Tensor& panels, const Tensor& bias, bool relu,
                      const Tensor& out) {
  multiply_rows(rows_times_panels(x.extent(0), x.extent(1), out.extent(1), relu), x, panels, bias,
                Tensor(), out);
}

void linear_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
                    const Tensor& out) {
  if (out.numel() == 0) return;
  if (unpaired(x.dtype(), x.extent(1))) {
    return through_f32(out, [&](const Tensor& wide) {
      linear_forward(x.to(DType::f32), weight, bias, relu, wide);
    });
  }
  linear_on_panels(x, linear_panels(weight, precision_of(x.dtype())), bias, relu, out);
}

void linear_backward_data(const Tensor& grad, const Tensor& weight, const Tensor& grad_x) {
  if (grad_x.numel() == 0) return;
  if (unpaired(grad.dtype(), grad.extent(1))) {
    return through_f32(grad_x, [&](const Tensor& wide) {
      linear_backward_data(grad.to(DType::f32), weight, wide);
    });
  }
  const Tensor panels =
      pack_backward(weight, 1, 1, weight.extent(1), {0}, precision_of(grad.dtype()));
  multiply_rows(rows_times_panels(grad.extent(0), grad.extent(1), grad_x.extent(1), false), grad,
                panels, Tensor(), Tensor(), grad_x);
}

void linear_backward_weight(const Tensor& x, const Tensor& grad, const Tensor& grad_weight) {
  const int64_t rows = x.extent(0);
  multiply_outer({1, 1, rows, 1, rows, 1, 1, 1, 0, 1, grad.extent(1), x.extent(1)}, grad, x,
                 grad_weight);
}

}  // namespace soma::cpu
