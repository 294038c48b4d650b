#include "ops/concat.h"

#include "ops/dispatch.h"

namespace soma {
namespace {

Shape joined_shape(const std::vector<Variable>& parts, int axis) {
  check(!parts.empty(), "concat", "needs at least one tensor");
  const Tensor& first = parts[0].value();
  check(axis >= 0 && axis < first.rank(), "concat", "axis must be in [0, ", first.rank(), "), got ",
        axis);
  int64_t extent = 0;
  for (const Variable& part : parts) {
    check(part.value().rank() == first.rank() &&
              part.shape().with(axis, 0) == first.shape().with(axis, 0) &&
              part.dtype() == first.dtype() && part.device() == first.device(),
          "concat", "parts must be alike but for axis ", axis, ", got ", name_of(first.dtype()),
          first.shape(), " and ", name_of(part.dtype()), part.shape());
    extent += part.extent(axis);
  }
  return first.shape().with(axis, extent);
}

}  // namespace

Variable concat(const std::vector<Variable>& parts, int axis) {
  const Shape shape = joined_shape(parts, axis);
  const Tensor out = Tensor::empty(shape, parts[0].dtype(), parts[0].device());
  std::vector<Tensor> values;
  std::vector<int64_t> extents;
  std::vector<bool> needed;
  for (const Variable& part : parts) {
    values.push_back(part.value());
    extents.push_back(part.extent(axis));
    needed.push_back(part.requires_grad());
  }
  run<cpu::concat_forward, cuda::concat_forward>("concat", out.device(), values, axis, out);
  return record("concat", out, parts, [axis, extents, needed](const Tensor& grad) {
    std::vector<Tensor> grads(extents.size());
    for (size_t i = 0; i < extents.size(); ++i) {
      if (!needed[i]) continue;
      grads[i] = Tensor::empty(grad.shape().with(axis, extents[i]), grad.dtype(), grad.device());
    }
    run<cpu::concat_backward, cuda::concat_backward>("concat backward", grad.device(), grad, axis,
                                                     extents, grads);
    return grads;
  });
}

}  // namespace soma
