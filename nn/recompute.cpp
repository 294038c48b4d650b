#include "nn/recompute.h"

#include <algorithm>

#include "nn/half.h"

namespace soma {
namespace {

// The gradient of x[first, last) from that of its results; gradients of parameters go to them.
Tensor gradient_of(const Tensor& x, const Tensor& grad,
                   const std::function<Variable(const Variable&)>& run) {
  const Variable rows(x, true);
  const Variable result = run(rows);
  backward(record("recomputed rows", Tensor::zeros({}), {result},
                  [grad](const Tensor&) { return std::vector<Tensor>{grad}; }));
  return rows.grad();
}

}  // namespace

Variable recomputed(const Variable& x, int64_t rows,
                    const std::function<Variable(const Variable&)>& run) {
  const int64_t count = x.extent(0);
  if (x.device() != Device::cpu || count == 0) return run(x);
  // Whether parameters learn though x does not, a run of no rows tells.
  if (!x.requires_grad() && run(x.value().slice(0, 0)).requires_grad()) return run(x);
  const auto each = [count, rows](const auto& body) {
    for (int64_t first = 0; first < count; first += rows) {
      body(first, std::min(count, first + rows));
    }
  };
  Tensor out;
  {
    const NoGradScope scope;
    each([&](int64_t first, int64_t last) {
      const Tensor part = run(x.value().slice(first, last)).value();
      if (!out.defined()) out = Tensor::empty(part.shape().with(0, count), part.dtype());
      out.slice(first, last).copy_from(part);
    });
  }
  return record("recomputed", out, {x},
                [each, run, x = x.value(), half = half_type()](const Tensor& grad) {
                  const HalfScope scope(half);
                  const Tensor grad_x = Tensor::empty_like(x);
                  each([&](int64_t first, int64_t last) {
                    grad_x.slice(first, last)
                        .copy_from(gradient_of(x.slice(first, last), grad.slice(first, last), run));
                  });
                  return std::vector<Tensor>{grad_x};
                });
}

}  // namespace soma
