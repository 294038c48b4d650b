// The transposed convolution is a convolution's backward-data pass, and its own backward passes are
// that convolution's forward and backward-weight passes with x and grad changing places.
#include "ops/cpu/conv_transpose2d.h"

#include "ops/cpu/conv2d.h"
#include "ops/cpu/gemm.h"

namespace soma::cpu {
namespace {

Conv2dSpec conv_spec(const ConvTranspose2dSpec& spec) { return {spec.stride, spec.pad, 1, false}; }

}  // namespace

std::vector<Tensor> transposed_panels(const Tensor& weight, const ConvTranspose2dSpec& spec,
                                      Precision precision) {
  return pack_phases(weight, conv_spec(spec), precision);
}

void conv_transpose2d_on_panels(const Tensor& x, const Shape& weight,
                                const std::vector<Tensor>& phases, const Tensor& bias,
                                const ConvTranspose2dSpec& spec, const Tensor& out) {
  if (out.numel() == 0) return;
  conv_backward_data(conv_sizes(out.shape(), weight, x.shape(), conv_spec(spec)), x, phases, bias,
                     spec.relu, out);
}

void conv_transpose2d_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                              const ConvTranspose2dSpec& spec, const Tensor& out) {
  if (unpaired(x.dtype(), weight.extent(0))) {
    return through_f32(out, [&](const Tensor& wide) {
      conv_transpose2d_forward(x.to(DType::f32), weight, bias, spec, wide);
    });
  }
  conv_transpose2d_on_panels(
      x, weight.shape(), transposed_panels(weight, spec, precision_of(x.dtype())), bias, spec, out);
}

void conv_transpose2d_backward_data(const Tensor& grad, const Tensor& weight,
                                    const ConvTranspose2dSpec& spec, const Tensor& grad_x) {
  conv2d_forward(grad, weight, Tensor(), Tensor(), conv_spec(spec), grad_x);
}

void conv_transpose2d_backward_weight(const Tensor& x, const Tensor& grad,
                                      const ConvTranspose2dSpec& spec, const Tensor& grad_weight) {
  conv2d_backward_weight(grad, x, conv_spec(spec), grad_weight);
}

}  // namespace soma::cpu
