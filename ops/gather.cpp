#include "ops/gather.h"

#include <limits>

#include "ops/checks.h"
#include "ops/dispatch.h"

namespace soma {
namespace {

// [leading..., inner] of x [leading..., C * inner].
Shape picked_shape(const Tensor& x, int64_t inner) {
  check(x.rank() >= 2 && inner >= 1 && x.shape().back() % inner == 0, "pick_class",
        "needs [K, ..., C * ", inner, "], got ", x.shape());
  return x.shape().with(x.rank() - 1, inner);
}

// On the CPU only: a device's values are not read back. Its kernel takes such an index as -1.
void check_indices(const Tensor& index, int64_t rows) {
  const int32_t* values = index.data<int32_t>();
  for (int64_t k = 0; k < index.numel(); ++k) {
    check(values[k] >= -1 && values[k] < rows, "gather_rows", "index ", k, " must be in [-1, ",
          rows, "), got ", values[k]);
  }
}

}  // namespace

Variable gather_rows(const Variable& x, const Tensor& index) {
  const Tensor& value = x.value();
  check(value.rank() >= 1, "gather_rows", "needs [R, ...], got ", value.shape());
  check(index.rank() == 1, "gather_rows", "index must be i32 [K], got ", index.shape());
  check_i32("gather_rows", "index", index, index.extent(0), value.device());
  if (index.device() == Device::cpu) check_indices(index, value.extent(0));
  const Shape shape = value.shape().with(0, index.extent(0));
  const Tensor out = Tensor::empty(shape, value.dtype(), value.device());
  run<cpu::gather_rows_forward, cuda::gather_rows_forward>("gather_rows", value.device(), value,
                                                           index, out);
  return record("gather_rows", out, {x}, [shape = value.shape(), index](const Tensor& grad) {
    const Tensor grad_x = Tensor::empty(shape, grad.dtype(), grad.device());
    run<cpu::gather_rows_backward, cuda::gather_rows_backward>("gather_rows backward",
                                                               grad.device(), grad, index, grad_x);
    return std::vector<Tensor>{grad_x};
  });
}

Variable pick_class(const Variable& x, const Tensor& label, int64_t inner) {
  const Tensor& value = x.value();
  const Shape shape = picked_shape(value, inner);
  check_i32("pick_class", "label", label, value.extent(0), value.device());
  const Tensor out = Tensor::empty(shape, value.dtype(), value.device());
  run<cpu::pick_class_forward, cuda::pick_class_forward>("pick_class", value.device(), value, label,
                                                         out);
  return record("pick_class", out, {x}, [shape = value.shape(), label](const Tensor& grad) {
    const Tensor grad_x = Tensor::empty(shape, grad.dtype(), grad.device());
    run<cpu::pick_class_backward, cuda::pick_class_backward>("pick_class backward", grad.device(),
                                                             grad, label, grad_x);
    return std::vector<Tensor>{grad_x};
  });
}

Compacted compact(const Tensor& label, int64_t limit) {
  check(label.rank() == 1, "compact", "label must be i32 [K], got ", label.shape());
  check_i32("compact", "label", label, label.extent(0), label.device());
  check(label.extent(0) <= std::numeric_limits<int32_t>::max(), "compact",
        "rows must be countable in i32, got ", label.extent(0));
  const Compacted out{Tensor::empty_like(label), Tensor::empty({1}, DType::i32, label.device())};
  run<cpu::compact, cuda::compact>("compact", label.device(), label, limit, out);
  return out;
}

Tensor trim(const Tensor& x, const Tensor& count) {
  check(x.rank() >= 1, "trim", "needs [K, ...], got ", x.shape());
  check_i32("trim", "count", count, 1, x.device());
  if (x.device() != Device::cpu) return x;
  const int64_t rows = count.data<int32_t>()[0];
  check(0 <= rows && rows <= x.extent(0), "trim", "count must be in [0, ", x.extent(0), "], got ",
        rows);
  return x.slice(0, rows);
}

}  // namespace soma
