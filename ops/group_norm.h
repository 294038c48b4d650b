// Group normalisation (Wu and He 2018) of an NHWC tensor: per image and group of channels.
#pragma once
#include "autograd/variable.h"

namespace soma {

struct GroupNormSpec {
  int groups = 32;
  double eps = 1e-5;
  bool relu = false;
};

// x [N, H, W, C] with C divisible by groups, gamma and beta [C], residual like x or undefined
// -> relu?(gamma (x - mean) / sqrt(var + eps) + beta + residual).
Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta,
                    const Variable& residual, const GroupNormSpec& spec);

}  // namespace soma
