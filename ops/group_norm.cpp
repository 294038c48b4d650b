#include "ops/group_norm.h"

#include "ops/norm.h"

namespace soma {

Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta,
                    const Variable& residual, const GroupNormSpec& spec) {
  check(x.value().rank() == 4, "group_norm", "x must be [N, H, W, C], got ", x.shape());
  const int64_t channels = x.extent(3);
  check(spec.groups >= 1 && channels % spec.groups == 0, "group_norm", channels,
        " channels do not divide into ", spec.groups, " groups");
  const NormLayout layout{x.extent(0), x.extent(1) * x.extent(2), channels, spec.groups};
  return normalise("group_norm", x, gamma, beta, residual, layout, {spec.eps, spec.relu}).out;
}

}  // namespace soma
