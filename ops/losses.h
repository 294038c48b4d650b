// The losses of Mask R-CNN. Each is a sum over the rows that count, divided by `normalizer`: a
// scalar tensor of the predictions' type on their device, so that it can be summed over devices
// first. Rows that do not count give exactly zero loss and gradient.
#pragma once
#include "autograd/variable.h"

namespace soma {

// logits [K, C], label i32 [K]; labels outside [0, C) do not count. -> scalar.
Variable softmax_cross_entropy(const Variable& logits, const Tensor& label,
                               const Tensor& normalizer);

// logits and target of one shape; target in [0, 1], negative targets do not count. -> scalar.
// max(x, 0) - x t + log(1 + exp(-|x|)), which never overflows.
Variable binary_cross_entropy_with_logits(const Variable& logits, const Tensor& target,
                                          const Tensor& normalizer);

// prediction and target [K, D], counted i32 [K]: rows with counted[k] > 0 count.
// beta > 0: .5 d^2 / beta below beta, |d| - beta / 2 above; beta 0: |d| (L1, gradient 0 at 0).
Variable smooth_l1(const Variable& prediction, const Tensor& target, const Tensor& counted,
                   double beta, const Tensor& normalizer);

// Row-wise softmax [K, C] -> [K, C]; no gradient (inference).
Tensor softmax(const Tensor& logits);

// A loss's gradient is that of its sum times grad / normalizer (two scalars, on the device).
struct LossScale {
  Tensor grad, normalizer;
};
struct SmoothL1Input {
  Tensor prediction, target, counted;
  double beta = 0;
};

namespace cpu {
void softmax_cross_entropy_forward(const Tensor& logits, const Tensor& label,
                                   const Tensor& normalizer, const Tensor& out);
void softmax_cross_entropy_backward(const Tensor& logits, const Tensor& label,
                                    const LossScale& scale, const Tensor& grad_logits);
void binary_cross_entropy_forward(const Tensor& logits, const Tensor& target,
                                  const Tensor& normalizer, const Tensor& out);
void binary_cross_entropy_backward(const Tensor& logits, const Tensor& target,
                                   const LossScale& scale, const Tensor& grad_logits);
void smooth_l1_forward(const SmoothL1Input& input, const Tensor& normalizer, const Tensor& out);
void smooth_l1_backward(const SmoothL1Input& input, const LossScale& scale,
                        const Tensor& grad_prediction);
void softmax(const Tensor& logits, const Tensor& out);
}  // namespace cpu
namespace cuda {
void softmax_cross_entropy_forward(const Tensor& logits, const Tensor& label,
                                   const Tensor& normalizer, const Tensor& out);
void softmax_cross_entropy_backward(const Tensor& logits, const Tensor& label,
                                    const LossScale& scale, const Tensor& grad_logits);
void binary_cross_entropy_forward(const Tensor& logits, const Tensor& target,
                                  const Tensor& normalizer, const Tensor& out);
void binary_cross_entropy_backward(const Tensor& logits, const Tensor& target,
                                   const LossScale& scale, const Tensor& grad_logits);
void smooth_l1_forward(const SmoothL1Input& input, const Tensor& normalizer, const Tensor& out);
void smooth_l1_backward(const SmoothL1Input& input, const LossScale& scale,
                        const Tensor& grad_prediction);
void softmax(const Tensor& logits, const Tensor& out);
}  // namespace cuda

}  // namespace soma
