// Batch normalisation over N, H, W of an NHWC tensor (Ioffe and Szegedy 2015; torch's rules: the
// batch is normalised by the biased variance, running_var takes the unbiased one).
#pragma once
#include "autograd/variable.h"

namespace soma {

struct BatchNormSpec {
  double eps = 1e-5;
  double momentum = 0.1;  // running = (1 - momentum) running + momentum batch
  bool relu = false;
};

// Training: x [N, H, W, C], gamma and beta [C], running_mean and running_var [C] updated in place,
// residual like x or undefined -> relu?(gamma (x - mean) / sqrt(var + eps) + beta + residual).
// Error when a channel has fewer than 2 values.
Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta,
                    const Tensor& running_mean, const Tensor& running_var, const Variable& residual,
                    const BatchNormSpec& spec);

// What a norm with fixed statistics does: y = scale x + shift per channel, as two [C] tensors.
struct FoldedNorm {
  Tensor scale, shift;
};
FoldedNorm fold_batch_norm(const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                           const Tensor& running_var, double eps);

struct RunningStatistics {
  Tensor mean, variance;
};

namespace cpu {
void update_running(const RunningStatistics& running, const Tensor& mean, const Tensor& variance,
                    int64_t count, double momentum);
void fold_batch_norm(const FoldedNorm& affine, const RunningStatistics& running, double eps,
                     const FoldedNorm& out);
}  // namespace cpu
namespace cuda {
void update_running(const RunningStatistics& running, const Tensor& mean, const Tensor& variance,
                    int64_t count, double momentum);
void fold_batch_norm(const FoldedNorm& affine, const RunningStatistics& running, double eps,
                     const FoldedNorm& out);
}  // namespace cuda

}  // namespace soma
