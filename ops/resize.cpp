#include "ops/resize.h"

#include "ops/dispatch.h"

namespace soma {
namespace {

void check_images(const char* name, const Tensor& x) {
  check(x.rank() == 4, name, "x must be [N, H, W, C], got ", x.shape());
  check(x.extent(1) >= 1 && x.extent(2) >= 1, name, "cannot resize an image without pixels, ",
        x.shape());
}

Tensor resize_gradient(const Tensor& grad, Interpolation mode, const Shape& shape) {
  const Tensor grad_x = Tensor::empty(shape, grad.dtype(), grad.device());
  run<cpu::resize_backward, cuda::resize_backward>("resize backward", grad.device(), grad, mode,
                                                   grad_x);
  return grad_x;
}

}  // namespace

Variable resize(const Variable& x, int64_t height, int64_t width, Interpolation mode) {
  check_images("resize", x.value());
  check(height >= 1 && width >= 1, "resize", "the new size must be at least 1 x 1, got ", height,
        " x ", width);
  const Shape shape = x.shape().with(1, height).with(2, width);
  const Tensor out = Tensor::empty(shape, x.dtype(), x.device());
  run<cpu::resize_forward, cuda::resize_forward>("resize", x.device(), x.value(), mode, out);
  return record("resize", out, {x}, [shape = x.shape(), mode](const Tensor& grad) {
    return std::vector<Tensor>{resize_gradient(grad, mode, shape)};
  });
}

Variable resize_add(const Variable& coarse, const Variable& fine) {
  check_images("resize_add", coarse.value());
  check_images("resize_add", fine.value());
  check(coarse.extent(0) == fine.extent(0) && coarse.extent(3) == fine.extent(3) &&
            coarse.dtype() == fine.dtype() && coarse.device() == fine.device(),
        "resize_add", "needs images and channels alike, got ", name_of(coarse.dtype()),
        coarse.shape(), " and ", name_of(fine.dtype()), fine.shape());
  const Tensor out = Tensor::empty_like(fine.value());
  run<cpu::resize_add, cuda::resize_add>("resize_add", out.device(), coarse.value(), fine.value(),
                                         out);
  return record("resize_add", out, {coarse, fine},
                [shape = coarse.shape(), need = coarse.requires_grad()](const Tensor& grad) {
                  return std::vector<Tensor>{
                      need ? resize_gradient(grad, Interpolation::nearest, shape) : Tensor(), grad};
                });
}

}  // namespace soma
