#include "ops/conv2d.h"

#include <utility>

#include "ops/batch_norm.h"
#include "ops/bias_grad.h"
#include "ops/checks.h"
#include "ops/cpu/conv2d.h"
#include "ops/dispatch.h"
#include "ops/elementwise.h"

namespace soma {

struct PackedConv2d {
  Conv2dSpec spec;
  Shape shape;  // of the weight
  DType dtype;
  Device device;
  Tensor weights;  // cpu::pack_conv on the CPU, the plain weight elsewhere
};

namespace {

void check_operand(const Tensor& operand, const char* what, const Shape& shape, const Tensor& x,
                   DType dtype) {
  if (!operand.defined()) return;
  check(operand.shape() == shape, "conv2d", what, " must be ", shape, ", got ", operand.shape());
  check(operand.dtype() == dtype && operand.device() == x.device(), "conv2d", what, " is ",
        name_of(operand.dtype()), " on ", name_of(operand.device()), ", x is ", name_of(x.dtype()),
        " on ", name_of(x.device()));
}

// Checks everything but x against the weight; gives the result, not yet computed.
Tensor make_out(const Tensor& x, const Shape& weight, const Tensor& bias, const Tensor& residual,
                const Conv2dSpec& spec) {
  const Shape shape = conv2d_shape(x.shape(), weight, spec);
  check_layer_type("conv2d", x.dtype(), x.device());
  check_operand(bias, "bias", {weight[0]}, x, parameter_type(x.dtype()));
  check_operand(residual, "residual", shape, x, x.dtype());
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
                       const Shape& shape) {
  const Tensor grad_weight = Tensor::empty(shape, parameter_type(grad.dtype()), grad.device());
  run<cpu::conv2d_backward_weight, cuda::conv2d_backward_weight>(
      "conv2d backward weight", grad.device(), x, grad, spec, grad_weight);
  return grad_weight;
}

// A weight, and the factors of its rows or none.
struct ScaledWeight {
  Variable plain;
  Tensor scale;

  // What maps of `dtype` are multiplied with.
  Tensor operand(DType dtype) const {
    return scale.defined() ? scale_rows(plain.value(), scale).to(parameter_type(dtype))
                           : plain.value();
  }
  Tensor gradient(Tensor grad) const {
    if (!scale.defined()) return grad;
    grad = grad.to(plain.dtype());
    return scale_rows(std::move(grad), scale);
  }
};

Variable convolved(const ScaledWeight& weight, const Variable& x, const Variable& bias,
                   const Variable& residual, const Conv2dSpec& spec) {
  const Variable& plain = weight.plain;
  const Tensor out = make_out(x.value(), plain.shape(), bias.value(), residual.value(), spec);
  const Tensor operand = weight.operand(x.dtype());
  check_operand(operand, "weight", plain.shape(), x.value(), parameter_type(x.dtype()));
  run<cpu::conv2d_forward, cuda::conv2d_forward>("conv2d", x.device(), x.value(), operand,
                                                 bias.value(), residual.value(), spec, out);
  // The host makes a scaled weight anew, which is cheaper than to keep it; on a device a launch is
  // dearer than memory.
  const bool again = weight.scale.defined() && x.device() == Device::cpu;
  return record("conv2d", out, {x, plain, bias, residual},
                [x = x.value(), weight, kept = again ? Tensor() : operand, spec,
                 out = spec.relu ? out : Tensor(), need_x = x.requires_grad(),
                 need_w = plain.requires_grad(), need_bias = bias.requires_grad(),
                 need_residual = residual.requires_grad()](const Tensor& grad_out) {
                  const Tensor grad = relu_masked(out, grad_out);
                  std::vector<Tensor> grads(4);
                  if (need_x) {
                    grads[0] = backward_data(
                        grad, kept.defined() ? kept : weight.operand(x.dtype()), spec, x.shape());
                  }
                  if (need_w) {
                    grads[1] =
                        weight.gradient(backward_weight(x, grad, spec, weight.plain.shape()));
                  }
                  if (need_bias) grads[2] = bias_grad(grad);
                  if (need_residual) grads[3] = grad;
                  return grads;
                });
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
  return convolved({weight, Tensor()}, x, bias, residual, spec);
}

Variable conv2d_scaled(const Variable& x, const Variable& weight, const FoldedNorm& norm,
                       const Variable& residual, const Conv2dSpec& spec) {
  return convolved({weight, norm.scale}, x, norm.shift.to(parameter_type(x.dtype())), residual,
                   spec);
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
