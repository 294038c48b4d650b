#include "ops/max_pool2d.h"

#include "ops/dispatch.h"

namespace soma {
namespace {

Shape pooled_shape(const Tensor& x, const MaxPool2dSpec& spec) {
  check(x.rank() == 4, "max_pool2d", "x must be [N, H, W, C], got ", x.shape());
  check(spec.kernel >= 1 && spec.kernel <= 15 && spec.stride >= 1 && spec.pad >= 0 &&
            spec.pad <= spec.kernel / 2,
        "max_pool2d", "needs kernel 1 to 15, stride >= 1, pad <= kernel / 2, got kernel ",
        spec.kernel, ", stride ", spec.stride, ", pad ", spec.pad);
  Shape shape = x.shape();
  for (const int axis : {1, 2}) {
    const int64_t padded = x.extent(axis) + 2 * spec.pad;
    check(padded >= spec.kernel, "max_pool2d", "the window of ", spec.kernel,
          " is larger than the padded image ", x.shape());
    shape = shape.with(axis, (padded - spec.kernel) / spec.stride + 1);
  }
  return shape;
}

}  // namespace

Variable max_pool2d(const Variable& x, const MaxPool2dSpec& spec) {
  const Shape shape = pooled_shape(x.value(), spec);
  const Tensor out = Tensor::empty(shape, x.dtype(), x.device());
  const Tensor winner = x.requires_grad() ? Tensor::empty(shape, DType::u8, x.device()) : Tensor();
  run<cpu::max_pool2d_forward, cuda::max_pool2d_forward>("max_pool2d", x.device(), x.value(), spec,
                                                         out, winner);
  return record("max_pool2d", out, {x}, [shape = x.shape(), winner, spec](const Tensor& grad) {
    const Tensor grad_x = Tensor::empty(shape, grad.dtype(), grad.device());
    run<cpu::max_pool2d_backward, cuda::max_pool2d_backward>("max_pool2d backward", grad.device(),
                                                             grad, winner, spec, grad_x);
    return std::vector<Tensor>{grad_x};
  });
}

}  // namespace soma
