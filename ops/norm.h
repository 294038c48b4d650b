// What batch_norm and group_norm share: x seen as [segments, rows, channels], normalised by the
// mean and variance of each segment's group of channels, then scaled and shifted per channel.
// batch_norm is one segment with a group per channel, group_norm a segment per image.
#pragma once
#include "autograd/variable.h"

namespace soma {

struct NormLayout {
  int64_t segments, rows, channels, groups;
};

struct NormSpec {
  double eps = 1e-5;
  bool relu = false;
};

// mean and variance (biased) are f64 [segments, groups].
struct Normalised {
  Variable out;
  Tensor mean, variance;
};

// x with `layout`'s elements, gamma and beta [channels], residual like x or undefined
// -> relu?(gamma (x - mean) / sqrt(variance + eps) + beta + residual). `name` speaks in errors.
Normalised normalise(const char* name, const Variable& x, const Variable& gamma,
                     const Variable& beta, const Variable& residual, const NormLayout& layout,
                     const NormSpec& spec);

struct NormInput {
  Tensor x, gamma, beta, residual;
};
struct NormOutput {
  Tensor out, mean, variance;
};
// What the gradient needs; `out` only under a ReLU.
struct NormSaved {
  Tensor x, gamma, out, mean, variance;
};
// Undefined ones are not computed. residual: only where a ReLU makes it differ from the output's.
struct NormGradients {
  Tensor x, gamma, beta, residual;
};

namespace cpu {
void norm_forward(const NormInput& input, const NormLayout& layout, const NormSpec& spec,
                  const NormOutput& output);
void norm_backward(const NormSaved& saved, const NormLayout& layout, const NormSpec& spec,
                   const Tensor& grad, const NormGradients& grads);
}  // namespace cpu
namespace cuda {
void norm_forward(const NormInput& input, const NormLayout& layout, const NormSpec& spec,
                  const NormOutput& output);
void norm_backward(const NormSaved& saved, const NormLayout& layout, const NormSpec& spec,
                   const Tensor& grad, const NormGradients& grads);
}  // namespace cuda

}  // namespace soma
