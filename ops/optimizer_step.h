// One optimiser step over one parameter, in one pass over memory; no gradients. Formulas are
// torch's. The gradient is first multiplied by grad_scale (clipping).
#pragma once
#include "tensor/tensor.h"

namespace soma {

struct SgdStep {
  double rate, momentum, weight_decay, grad_scale;
};
// g = scale grad + decay w; v = momentum v + g (v starts at 0); w -= rate v.
void sgd_step(const Tensor& weight, const Tensor& grad, const Tensor& velocity,
              const SgdStep& step);

struct AdamWStep {
  double rate, beta1, beta2, eps, weight_decay, grad_scale;
  int64_t count;  // 1 for the first step: the bias corrections
};
// w -= rate decay w; m, v moving averages of g and g^2; w -= rate m^ / (sqrt(v^) + eps)
// (Loshchilov and Hutter 2019).
void adamw_step(const Tensor& weight, const Tensor& grad, const Tensor& first, const Tensor& second,
                const AdamWStep& step);

// average += (1 - decay) (value - average).
void average_step(const Tensor& average, const Tensor& value, double decay);

// Sum of squares as a double; fixed order of addition. NaN or infinite when an element is.
double squared_norm(const Tensor& x);

namespace cpu {
void sgd_step(const Tensor& weight, const Tensor& grad, const Tensor& velocity,
              const SgdStep& step);
void adamw_step(const Tensor& weight, const Tensor& grad, const Tensor& first, const Tensor& second,
                const AdamWStep& step);
void average_step(const Tensor& average, const Tensor& value, double decay);
double squared_norm(const Tensor& x);
}  // namespace cpu
namespace cuda {
void sgd_step(const Tensor& weight, const Tensor& grad, const Tensor& velocity,
              const SgdStep& step);
void adamw_step(const Tensor& weight, const Tensor& grad, const Tensor& first, const Tensor& second,
                const AdamWStep& step);
void average_step(const Tensor& average, const Tensor& value, double decay);
double squared_norm(const Tensor& x);
}  // namespace cuda

}  // namespace soma
