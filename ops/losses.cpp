#include "ops/losses.h"

#include <cmath>

#include "ops/checks.h"
#include "ops/dispatch.h"

namespace soma {
namespace {

void check_alike(const char* who, const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape() && a.dtype() == b.dtype() && a.device() == b.device(), who,
        "needs a target like the predictions, ", name_of(a.dtype()), a.shape(), ", got ",
        name_of(b.dtype()), b.shape());
}

void check_normalizer(const char* who, const Tensor& predictions, const Tensor& normalizer) {
  check(normalizer.defined() && normalizer.numel() == 1 &&
            normalizer.dtype() == predictions.dtype() &&
            normalizer.device() == predictions.device(),
        who, "needs a normalizer of one ", name_of(predictions.dtype()), " on ",
        name_of(predictions.device()), ", got ", name_of(normalizer.dtype()), normalizer.shape());
}

Tensor scalar_like(const Tensor& predictions) {
  return Tensor::empty({}, predictions.dtype(), predictions.device());
}

}  // namespace

Variable softmax_cross_entropy(const Variable& logits, const Tensor& label,
                               const Tensor& normalizer) {
  constexpr const char* kName = "softmax_cross_entropy";
  const Tensor& x = logits.value();
  check(x.rank() == 2 && x.extent(1) >= 1, kName, "logits must be [K, C], got ", x.shape());
  check_i32(kName, "label", label, x.extent(0), x.device());
  check_normalizer(kName, x, normalizer);
  const Tensor out = scalar_like(x);
  run<cpu::softmax_cross_entropy_forward, cuda::softmax_cross_entropy_forward>(
      kName, x.device(), x, label, normalizer, out);
  return record(kName, out, {logits}, [x, label, normalizer](const Tensor& grad) {
    const Tensor grad_x = Tensor::empty_like(x);
    run<cpu::softmax_cross_entropy_backward, cuda::softmax_cross_entropy_backward>(
        "softmax_cross_entropy backward", x.device(), x, label, LossScale{grad, normalizer},
        grad_x);
    return std::vector<Tensor>{grad_x};
  });
}

Variable binary_cross_entropy_with_logits(const Variable& logits, const Tensor& target,
                                          const Tensor& normalizer) {
  constexpr const char* kName = "binary_cross_entropy_with_logits";
  const Tensor& x = logits.value();
  check_alike(kName, x, target);
  check_normalizer(kName, x, normalizer);
  const Tensor out = scalar_like(x);
  run<cpu::binary_cross_entropy_forward, cuda::binary_cross_entropy_forward>(
      kName, x.device(), x, target, normalizer, out);
  return record(kName, out, {logits}, [x, target, normalizer](const Tensor& grad) {
    const Tensor grad_x = Tensor::empty_like(x);
    run<cpu::binary_cross_entropy_backward, cuda::binary_cross_entropy_backward>(
        "binary_cross_entropy_with_logits backward", x.device(), x, target,
        LossScale{grad, normalizer}, grad_x);
    return std::vector<Tensor>{grad_x};
  });
}

Variable smooth_l1(const Variable& prediction, const Tensor& target, const Tensor& counted,
                   double beta, const Tensor& normalizer) {
  constexpr const char* kName = "smooth_l1";
  const Tensor& x = prediction.value();
  check(x.rank() == 2, kName, "prediction must be [K, D], got ", x.shape());
  check_alike(kName, x, target);
  check_i32(kName, "counted", counted, x.extent(0), x.device());
  check(beta >= 0 && std::isfinite(beta), kName, "beta must be 0 or more, got ", beta);
  check_normalizer(kName, x, normalizer);
  const SmoothL1Input input{x, target, counted, beta};
  const Tensor out = scalar_like(x);
  run<cpu::smooth_l1_forward, cuda::smooth_l1_forward>(kName, x.device(), input, normalizer, out);
  return record(kName, out, {prediction}, [input, normalizer](const Tensor& grad) {
    const Tensor grad_x = Tensor::empty_like(input.prediction);
    run<cpu::smooth_l1_backward, cuda::smooth_l1_backward>(
        "smooth_l1 backward", grad.device(), input, LossScale{grad, normalizer}, grad_x);
    return std::vector<Tensor>{grad_x};
  });
}

Tensor softmax(const Tensor& logits) {
  check(logits.rank() == 2, "softmax", "logits must be [K, C], got ", logits.shape());
  const Tensor out = Tensor::empty_like(logits);
  run<cpu::softmax, cuda::softmax>("softmax", logits.device(), logits, out);
  return out;
}

}  // namespace soma
