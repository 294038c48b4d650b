#include "ops/linear.h"

#include "ops/bias_grad.h"
#include "ops/checks.h"
#include "ops/cpu/linear.h"
#include "ops/dispatch.h"

namespace soma {

struct PackedGemm {
  Shape shape;  // of the weight, [out, in]
  DType dtype;
  Device device;
  Tensor weights;  // panels on the CPU, the plain weight elsewhere
};

namespace {

// dtype and device: of the weight.
Tensor make_out(const Tensor& x, const Shape& weight, DType dtype, Device device,
                const Tensor& bias) {
  check_layer_type("linear", x.dtype(), device);
  check(x.rank() == 2 && weight.rank() == 2 && x.extent(1) == weight[1], "linear",
        "needs x [K, in] and weight [out, in], got ", x.shape(), " and ", weight);
  check(!bias.defined() || bias.shape() == Shape{weight[0]}, "linear", "bias must be [", weight[0],
        "], got ", bias.shape());
  check(parameter_type(x.dtype()) == dtype && x.device() == device &&
            (!bias.defined() || (bias.dtype() == dtype && bias.device() == device)),
        "linear", "x, weight and bias must share type and device, x is ", name_of(x.dtype()),
        " on ", name_of(x.device()), ", the weight ", name_of(dtype), " on ", name_of(device));
  return Tensor::empty({x.extent(0), weight[0]}, x.dtype(), device);
}

Tensor backward_data(const Tensor& grad, const Tensor& weight) {
  const Tensor grad_x =
      Tensor::empty({grad.extent(0), weight.extent(1)}, grad.dtype(), grad.device());
  run<cpu::linear_backward_data, cuda::linear_backward_data>("linear backward data", grad.device(),
                                                             grad, weight, grad_x);
  return grad_x;
}

Tensor backward_weight(const Tensor& x, const Tensor& grad, const Tensor& weight) {
  const Tensor grad_weight = Tensor::empty_like(weight);
  run<cpu::linear_backward_weight, cuda::linear_backward_weight>(
      "linear backward weight", grad.device(), x, grad, grad_weight);
  return grad_weight;
}

}  // namespace

Variable linear(const Variable& x, const Variable& weight, const Variable& bias, bool relu) {
  const Tensor out =
      make_out(x.value(), weight.shape(), weight.dtype(), weight.device(), bias.value());
  run<cpu::linear_forward, cuda::linear_forward>("linear", x.device(), x.value(), weight.value(),
                                                 bias.value(), relu, out);
  return record(
      "linear", out, {x, weight, bias},
      [x = x.value(), w = weight.value(), out = relu ? out : Tensor(), need_x = x.requires_grad(),
       need_w = weight.requires_grad(), need_bias = bias.requires_grad()](const Tensor& grad_out) {
        const Tensor grad = relu_masked(out, grad_out);
        return std::vector<Tensor>{need_x ? backward_data(grad, w) : Tensor(),
                                   need_w ? backward_weight(x, grad, w) : Tensor(),
                                   need_bias ? bias_grad(grad) : Tensor()};
      });
}

std::shared_ptr<const PackedGemm> pack_linear(const Tensor& weight, Precision precision) {
  check(weight.rank() == 2, "linear", "weight must be [out, in], got ", weight.shape());
  check_precision("linear", precision, weight);
  const bool on_cpu = weight.device() == Device::cpu;
  return std::make_shared<PackedGemm>(
      PackedGemm{weight.shape(), weight.dtype(), weight.device(),
                 on_cpu ? cpu::linear_panels(weight, precision) : weight});
}

Tensor linear_packed(const Tensor& x, const PackedGemm& weight, const Tensor& bias, bool relu) {
  const Tensor out = make_out(x, weight.shape, weight.dtype, weight.device, bias);
  check(x.dtype() == weight.dtype, "linear", "packed weights take ", name_of(weight.dtype),
        ", got ", name_of(x.dtype()));
  if (x.device() != Device::cpu) {
    run<cpu::linear_forward, cuda::linear_forward>("linear", x.device(), x, weight.weights, bias,
                                                   relu, out);
  } else {
    const TraceSpan span("linear");
    cpu::linear_on_panels(x, weight.weights, bias, relu, out);
  }
  return out;
}

}  // namespace soma
