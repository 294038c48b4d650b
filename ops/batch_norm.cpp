#include "ops/batch_norm.h"

#include "ops/dispatch.h"
#include "ops/norm.h"

namespace soma {
namespace {

void check_channels(const char* name, const char* what, const Tensor& tensor, const Tensor& like) {
  check(tensor.defined() && tensor.shape() == like.shape() && tensor.dtype() == like.dtype() &&
            tensor.device() == like.device(),
        name, what, " must be ", name_of(like.dtype()), like.shape(), " on ",
        name_of(like.device()), ", got ", name_of(tensor.dtype()), tensor.shape());
}

}  // namespace

Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta,
                    const Tensor& running_mean, const Tensor& running_var, const Variable& residual,
                    const BatchNormSpec& spec) {
  check(x.value().rank() == 4, "batch_norm", "x must be [N, H, W, C], got ", x.shape());
  check_channels("batch_norm", "running_mean", running_mean, gamma.value());
  check_channels("batch_norm", "running_var", running_var, gamma.value());
  const int64_t channels = x.extent(3), count = x.shape().product(0, 3);
  check(count >= 2, "batch_norm", "needs at least 2 values per channel, got ", x.shape());
  const Normalised result = normalise("batch_norm", x, gamma, beta, residual,
                                      {1, count, channels, channels}, {spec.eps, spec.relu});
  run<cpu::update_running, cuda::update_running>(
      "batch_norm running", x.device(), RunningStatistics{running_mean, running_var}, result.mean,
      result.variance, count, spec.momentum);
  running_mean.touch();
  running_var.touch();
  return result.out;
}

FoldedNorm fold_batch_norm(const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                           const Tensor& running_var, double eps) {
  check(gamma.rank() == 1, "fold_batch_norm", "gamma must be [C], got ", gamma.shape());
  check_channels("fold_batch_norm", "beta", beta, gamma);
  check_channels("fold_batch_norm", "running_mean", running_mean, gamma);
  check_channels("fold_batch_norm", "running_var", running_var, gamma);
  const FoldedNorm out{Tensor::empty_like(gamma), Tensor::empty_like(gamma)};
  run<cpu::fold_batch_norm, cuda::fold_batch_norm>(
      "fold_batch_norm", gamma.device(), FoldedNorm{gamma, beta},
      RunningStatistics{running_mean, running_var}, eps, out);
  return out;
}

}  // namespace soma
