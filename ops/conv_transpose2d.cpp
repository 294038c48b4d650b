#include "ops/conv_transpose2d.h"

#include "ops/bias_grad.h"
#include "ops/checks.h"
#include "ops/cpu/conv_transpose2d.h"
#include "ops/dispatch.h"

namespace soma {

struct PackedConvTranspose2d {
  ConvTranspose2dSpec spec;
  Shape shape;  // of the weight
  DType dtype;
  Device device;
  std::vector<Tensor> weights;  // panels per phase on the CPU, the plain weight elsewhere
};

namespace {

void check_weight(const Shape& weight, const ConvTranspose2dSpec& spec) {
  check(spec.stride >= 1 && spec.pad >= 0, "conv_transpose2d",
        "needs stride >= 1 and pad >= 0, got ", spec.stride, " and ", spec.pad);
  check(weight.rank() == 4 && weight[1] >= 1 && weight[2] >= 1, "conv_transpose2d",
        "weight must be [C, kh, kw, O], got ", weight);
}

int64_t out_extent(int64_t in, int64_t kernel, const ConvTranspose2dSpec& spec) {
  return (in - 1) * spec.stride - 2 * int64_t{spec.pad} + kernel;
}

Tensor make_out(const Tensor& x, const Shape& weight, DType dtype, Device device,
                const Tensor& bias, const ConvTranspose2dSpec& spec) {
  check_weight(weight, spec);
  check_layer_type("conv_transpose2d", x.dtype(), device);
  check(x.rank() == 4 && x.extent(3) == weight[0], "conv_transpose2d", "x must be [N, H, W, ",
        weight[0], "], got ", x.shape());
  check(!bias.defined() || bias.shape() == Shape{weight[3]}, "conv_transpose2d", "bias must be [",
        weight[3], "], got ", bias.shape());
  check(parameter_type(x.dtype()) == dtype && x.device() == device &&
            (!bias.defined() || (bias.dtype() == dtype && bias.device() == device)),
        "conv_transpose2d", "x, weight and bias must share type and device, x is ",
        name_of(x.dtype()), " on ", name_of(x.device()), ", the weight ", name_of(dtype), " on ",
        name_of(device));
  const int64_t height = out_extent(x.extent(1), weight[1], spec);
  const int64_t width = out_extent(x.extent(2), weight[2], spec);
  check(height >= 1 && width >= 1, "conv_transpose2d", "padding ", spec.pad,
        " leaves nothing of x ", x.shape(), " under weight ", weight);
  return Tensor::empty({x.extent(0), height, width, weight[3]}, x.dtype(), device);
}

Tensor backward_data(const Tensor& grad, const Tensor& weight, const ConvTranspose2dSpec& spec,
                     const Shape& shape) {
  const Tensor grad_x = Tensor::empty(shape, grad.dtype(), grad.device());
  run<cpu::conv_transpose2d_backward_data, cuda::conv_transpose2d_backward_data>(
      "conv_transpose2d backward data", grad.device(), grad, weight, spec, grad_x);
  return grad_x;
}

Tensor backward_weight(const Tensor& x, const Tensor& grad, const ConvTranspose2dSpec& spec,
                       const Tensor& weight) {
  const Tensor grad_weight = Tensor::empty_like(weight);
  run<cpu::conv_transpose2d_backward_weight, cuda::conv_transpose2d_backward_weight>(
      "conv_transpose2d backward weight", grad.device(), x, grad, spec, grad_weight);
  return grad_weight;
}

}  // namespace

Variable conv_transpose2d(const Variable& x, const Variable& weight, const Variable& bias,
                          const ConvTranspose2dSpec& spec) {
  const Tensor out =
      make_out(x.value(), weight.shape(), weight.dtype(), weight.device(), bias.value(), spec);
  run<cpu::conv_transpose2d_forward, cuda::conv_transpose2d_forward>(
      "conv_transpose2d", x.device(), x.value(), weight.value(), bias.value(), spec, out);
  return record("conv_transpose2d", out, {x, weight, bias},
                [x = x.value(), w = weight.value(), spec, out = spec.relu ? out : Tensor(),
                 need_x = x.requires_grad(), need_w = weight.requires_grad(),
                 need_bias = bias.requires_grad()](const Tensor& grad_out) {
                  const Tensor grad = relu_masked(out, grad_out);
                  return std::vector<Tensor>{
                      need_x ? backward_data(grad, w, spec, x.shape()) : Tensor(),
                      need_w ? backward_weight(x, grad, spec, w) : Tensor(),
                      need_bias ? bias_grad(grad) : Tensor()};
                });
}

std::shared_ptr<const PackedConvTranspose2d> pack_conv_transpose2d(const Tensor& weight,
                                                                   const ConvTranspose2dSpec& spec,
                                                                   Precision precision) {
  check_weight(weight.shape(), spec);
  check_precision("conv_transpose2d", precision, weight);
  const bool on_cpu = weight.device() == Device::cpu;
  return std::make_shared<PackedConvTranspose2d>(PackedConvTranspose2d{
      spec, weight.shape(), weight.dtype(), weight.device(),
      on_cpu ? cpu::transposed_panels(weight, spec, precision) : std::vector<Tensor>{weight}});
}

Tensor conv_transpose2d_packed(const Tensor& x, const PackedConvTranspose2d& packed,
                               const Tensor& bias) {
  const Tensor out = make_out(x, packed.shape, packed.dtype, packed.device, bias, packed.spec);
  check(x.dtype() == packed.dtype, "conv_transpose2d", "packed weights take ",
        name_of(packed.dtype), ", got ", name_of(x.dtype()));
  if (x.device() != Device::cpu) {
    run<cpu::conv_transpose2d_forward, cuda::conv_transpose2d_forward>(
        "conv_transpose2d", x.device(), x, packed.weights[0], bias, packed.spec, out);
  } else {
    const TraceSpan span("conv_transpose2d");
    cpu::conv_transpose2d_on_panels(x, packed.shape, packed.weights, bias, packed.spec, out);
  }
  return out;
}

}  // namespace soma
