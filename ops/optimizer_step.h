// One optimiser step over all parameters at once, one pass over memory; no gradients. Formulas are
// torch's. Nothing is read back: on a device a step needs no word of the host.
#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace soma {

// A parameter in an optimiser's hands. All slots of a call share type and device.
struct OptimizerSlot {
  Tensor weight, grad;
  Tensor first, second;  // SGD: the velocity, and undefined; AdamW: both moments
  double weight_decay = 0;
};

// What the gradients are multiplied with so that their global norm is at most a limit. f64, on the
// gradients' device.
struct Clip {
  Tensor squares;  // [n]: each gradient's sum of squares, fixed order of addition
  Tensor norm;     // []: the root of their sum
  Tensor factor;   // []: 1, or limit / norm above the limit; NaN where the norm is not finite
};
Clip clip_gradients(const std::vector<Tensor>& grads, double limit);  // limit 0: no clipping
// Gradients of a loss that was multiplied with scale[0] (Micikevicius et al. 2018): turns the clip
// of them (limit 0) into that of the gradients themselves, and moves scale, f64 [2] on their
// device, to what the next loss is to be multiplied with: torch's GradScaler, but nothing waits for
// the device.
void unscale(const Clip& clip, double limit, const Tensor& scale);
double squared_norm(const Tensor& x);  // the same sum as a number: waits for a device

struct SgdStep {
  double rate, momentum;
};
// g = factor grad + decay w; v = momentum v + g (v starts at 0); w -= rate v. Here and below:
// where the factor is NaN nothing changes.
void sgd_step(const std::vector<OptimizerSlot>& slots, const SgdStep& step, const Tensor& factor);

struct AdamWStep {
  double rate, beta1, beta2, eps;
  Tensor count;  // i64 [], of the factor's device: steps so far; this one makes it one more
};
// w -= rate decay w; m, v moving averages of g and g^2; w -= rate m^ / (sqrt(v^) + eps), where ^
// is the bias correction of the steps counted (Loshchilov and Hutter 2019).
void adamw_step(const std::vector<OptimizerSlot>& slots, const AdamWStep& step,
                const Tensor& factor);

// average += (1 - decay) (value - average), for every pair of weight (the average) and grad (the
// value); nothing else of the slots is used.
void average_step(const std::vector<OptimizerSlot>& slots, double decay);

namespace cpu {
void clip_gradients(const std::vector<Tensor>& grads, double limit, const Clip& out);
void unscale(const Clip& clip, double limit, const Tensor& scale);
void sgd_step(const std::vector<OptimizerSlot>& slots, const SgdStep& step, const Tensor& factor);
void adamw_step(const std::vector<OptimizerSlot>& slots, const AdamWStep& step,
                const Tensor& factor);
void average_step(const std::vector<OptimizerSlot>& slots, double decay);
}  // namespace cpu
namespace cuda {
void clip_gradients(const std::vector<Tensor>& grads, double limit, const Clip& out);
void unscale(const Clip& clip, double limit, const Tensor& scale);
void sgd_step(const std::vector<OptimizerSlot>& slots, const SgdStep& step, const Tensor& factor);
void adamw_step(const std::vector<OptimizerSlot>& slots, const AdamWStep& step,
                const Tensor& factor);
void average_step(const std::vector<OptimizerSlot>& slots, double decay);
}  // namespace cuda

}  // namespace soma
