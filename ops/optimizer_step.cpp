#include "ops/optimizer_step.h"

#include "ops/dispatch.h"

namespace soma {

void sgd_step(const Tensor& weight, const Tensor& grad, const Tensor& velocity,
              const SgdStep& step) {
  run<cpu::sgd_step, cuda::sgd_step>("sgd_step", weight.device(), weight, grad, velocity, step);
  weight.touch();
}

void adamw_step(const Tensor& weight, const Tensor& grad, const Tensor& first, const Tensor& second,
                const AdamWStep& step) {
  run<cpu::adamw_step, cuda::adamw_step>("adamw_step", weight.device(), weight, grad, first, second,
                                         step);
  weight.touch();
}

void average_step(const Tensor& average, const Tensor& value, double decay) {
  run<cpu::average_step, cuda::average_step>("average_step", value.device(), average, value, decay);
  average.touch();
}

double squared_norm(const Tensor& x) {
  return run<cpu::squared_norm, cuda::squared_norm>("squared_norm", x.device(), x);
}

}  // namespace soma
