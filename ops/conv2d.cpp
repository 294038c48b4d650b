#include "ops/conv2d.h"

#include "ops/bias_grad.h"
#include "ops/checks.h"
#include "ops/cpu/conv2d.h"
#include "ops/dispatch.h"

namespace soma {

struct PackedConv2d {
  Conv2dSpec spec;
  Shape shape;  // of the weight
  DType dtype;
  Device device;
  Tensor weights;  // cpu::pack_conv on the CPU, the plain weight elsewhere
};

namespace {

void check_operand(const Tensor& operand, const char* what, const Shape& shape, const Tensor& x) {
  if (!operand.defined()) return;
  check(operand.shape() == shape, "conv2d", what, " must be ", shape, ", got ", operand.shape());
  check(operand.dtype() == x.dtype() && operand.device() == x.device(), "conv2d", what, " is ",
        name_of(operand.dtype()), " on ", name_of(operand.device()), ", x is ", name_of(x.dtype()),
        " on ", name_of(x.device()));
}

// Checks everything but x against the weight; gives the result, not yet computed.
Tensor make_out(const Tensor& x, const Shape& weight, const Tensor& bias, const Tensor& residual,
                const Conv2dSpec& spec) {
  const Shape shape = conv2d_shape(x.shape(), weight, spec);
  check_layer_type("conv2d", x.dtype(), x.device());
  check_operand(bias, "bias", {weight[0]}, x);
  check_operand(residual, "residual", shape, x);
  return Tensor::empty(shape, x.dtype(), x.device());
}

Tensor backward_data(const Tensor& grad, const Tensor& weight, const Conv2dSpec& spec,
                     const Shape& shape) {
  const Tensor grad_x = Tensor::empty(shape, grad.dtype(), grad.device());
  run<cpu::conv2d_backward_data, cuda::conv2d_backward_data>("conv2d backward data", grad.device(),
                                                             grad, weight, spec, grad_x);
  return grad_x;
}

Tensor backward_weight(const Tensor& x, const Tensor& grad, const Conv2dSpec& spec,
                       const Tensor& weight) {
  const Tensor grad_weight = Tensor::empty_like(weight);
  run<cpu::conv2d_backward_weight, cuda::conv2d_backward_weight>(
      "conv2d backward weight", grad.device(), x, grad, spec, grad_weight);
  return grad_weight;
}

}  // namespace

Shape conv2d_shape(const Shape& x, const Shape& weight, const Conv2dSpec& spec) {
  check(spec.stride >= 1 && spec.pad >= 0 && spec.groups >= 1, "conv2d",
        "needs stride >= 1, pad >= 0 and groups >= 1, got ", spec.stride, ", ", spec.pad, " and ",
        spec.groups);
  check(x.rank() == 4, "conv2d", "x must be [N, H, W, C], got ", x);
  check(weight.rank() == 4, "conv2d", "weight must be [O, kh, kw, C / groups], got ", weight);
  check(weight[3] * spec.groups == x[3] && weight[0] % spec.groups == 0, "conv2d", "weight ",
        weight, " does not fit x ", x, " with ", spec.groups, " groups");
  const int64_t height = x[1] + 2 * int64_t{spec.pad}, width = x[2] + 2 * int64_t{spec.pad};
  check(weight[1] >= 1 && weight[2] >= 1 && weight[1] <= height && weight[2] <= width, "conv2d",
        "the kernel of weight ", weight, " is larger than x ", x, " with padding ", spec.pad);
  return {x[0], (height - weight[1]) / spec.stride + 1, (width - weight[2]) / spec.stride + 1,
          weight[0]};
}

Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias,
                const Variable& residual, const Conv2dSpec& spec) {
  const Tensor out = make_out(x.value(), weight.shape(), bias.value(), residual.value(), spec);
  check_operand(weight.value(), "weight", weight.shape(), x.value());
  run<cpu::conv2d_forward, cuda::conv2d_forward>("conv2d", x.device(), x.value(), weight.value(),
                                                 bias.value(), residual.value(), spec, out);
  return record("conv2d", out, {x, weight, bias, residual},
                [x = x.value(), w = weight.value(), spec, out = spec.relu ? out : Tensor(),
                 need_x = x.requires_grad(), need_w = weight.requires_grad(),
                 need_bias = bias.requires_grad(),
                 need_residual = residual.requires_grad()](const Tensor& grad_out) {
                  const Tensor grad = relu_masked(out, grad_out);
                  return std::vector<Tensor>{
                      need_x ? backward_data(grad, w, spec, x.shape()) : Tensor(),
                      need_w ? backward_weight(x, grad, spec, w) : Tensor(),
                      need_bias ? bias_grad(grad) : Tensor(), need_residual ? grad : Tensor()};
                });
}

std::shared_ptr<const PackedConv2d> pack_conv2d(const Tensor& weight, const Conv2dSpec& spec,
                                                Precision precision) {
  const Shape& shape = weight.shape();
  check(shape.rank() == 4 && spec.groups >= 1 && shape[0] % spec.groups == 0, "conv2d",
        "weight must be [O, kh, kw, C / groups], got ", shape, " with ", spec.groups, " groups");
  check_precision("conv2d", precision, weight);
  const bool on_cpu = weight.device() == Device::cpu;
  return std::make_shared<PackedConv2d>(
      PackedConv2d{spec, shape, weight.dtype(), weight.device(),
                   on_cpu ? cpu::pack_conv(weight, spec, precision) : weight});
}

Tensor conv2d_packed(const Tensor& x, const PackedConv2d& packed, const Tensor& bias,
                     const Tensor& residual) {
  check(x.dtype() == packed.dtype && x.device() == packed.device, "conv2d", "x is ",
        name_of(x.dtype()), " on ", name_of(x.device()), ", the packed weight ",
        name_of(packed.dtype), " on ", name_of(packed.device));
  const Tensor out = make_out(x, packed.shape, bias, residual, packed.spec);
  if (x.device() != Device::cpu) {
    run<cpu::conv2d_forward, cuda::conv2d_forward>("conv2d", x.device(), x, packed.weights, bias,
                                                   residual, packed.spec, out);
  } else {
    const TraceSpan span("conv2d");
    cpu::conv2d_on_packed(x, packed.shape, packed.weights, bias, residual, packed.spec, out);
  }
  return out;
}

}  // namespace soma
