#include "ops/permute.h"

#include "ops/dispatch.h"

namespace soma {
namespace {

void check_order(const Tensor& x, const std::vector<int>& order) {
  std::vector<bool> seen(order.size(), false);
  bool ok = static_cast<int>(order.size()) == x.rank();
  for (const int axis : order) {
    ok = ok && axis >= 0 && axis < x.rank() && !seen[static_cast<size_t>(axis)];
    if (ok) seen[static_cast<size_t>(axis)] = true;
  }
  if (ok) return;
  std::string found;
  for (const int axis : order) append(found, text(found.empty() ? "" : ", ", axis));
  fail("permute", "order must name each axis of ", x.shape(), " once, got (", found, ")");
}

Tensor permuted(const Tensor& x, const std::vector<int>& order) {
  Shape shape;
  for (const int axis : order) shape.push_back(x.extent(axis));
  const Tensor out = Tensor::empty(shape, x.dtype(), x.device());
  run<cpu::permute, cuda::permute>("permute", x.device(), x, order, out);
  return out;
}

}  // namespace

Variable permute(const Variable& x, const std::vector<int>& order) {
  check_order(x.value(), order);
  std::vector<int> inverse(order.size());
  for (size_t axis = 0; axis < order.size(); ++axis) {
    inverse[static_cast<size_t>(order[axis])] = static_cast<int>(axis);
  }
  return record("permute", permuted(x.value(), order), {x}, [inverse](const Tensor& grad) {
    return std::vector<Tensor>{permuted(grad, inverse)};
  });
}

Variable reshape(const Variable& x, const Shape& shape) {
  return record("reshape", x.value().reshape(shape), {x}, [before = x.shape()](const Tensor& grad) {
    return std::vector<Tensor>{grad.reshape(before)};
  });
}

}  // namespace soma
