#include "ops/elementwise.h"

#include "ops/dispatch.h"

namespace soma {
namespace {

void check_same(const char* who, const Variable& a, const Variable& b) {
  check(a.shape() == b.shape() && a.dtype() == b.dtype(), who, "needs two tensors alike, got ",
        name_of(a.dtype()), a.shape(), " and ", name_of(b.dtype()), b.shape());
}

Tensor multiplied(const Tensor& a, const Tensor& b) {
  const Tensor out = Tensor::empty_like(a);
  run<cpu::multiply, cuda::multiply>("multiply", a.device(), a, b, out);
  return out;
}

Tensor scaled(const Tensor& x, double factor) {
  const Tensor out = Tensor::empty_like(x);
  run<cpu::scale, cuda::scale>("scale", x.device(), x, factor, out);
  return out;
}

}  // namespace

Variable add(const Variable& a, const Variable& b) {
  check_same("add", a, b);
  const Tensor out = Tensor::empty_like(a.value());
  run<cpu::add, cuda::add>("add", a.device(), a.value(), b.value(), out);
  return record("add", out, {a, b}, [](const Tensor& grad) {
    return std::vector<Tensor>{grad, grad};
  });
}

Variable multiply(const Variable& a, const Variable& b) {
  check_same("multiply", a, b);
  return record("multiply", multiplied(a.value(), b.value()), {a, b},
                [a = a.value(), b = b.value(), need_a = a.requires_grad(),
                 need_b = b.requires_grad()](const Tensor& grad) {
                  return std::vector<Tensor>{need_a ? multiplied(grad, b) : Tensor(),
                                             need_b ? multiplied(grad, a) : Tensor()};
                });
}

Variable scale(const Variable& x, double factor) {
  return record("scale", scaled(x.value(), factor), {x},
                [factor](const Tensor& grad) { return std::vector<Tensor>{scaled(grad, factor)}; });
}

Variable scale_gradient(const Variable& x, double factor) {
  return record("scale_gradient", x.value(), {x},
                [factor](const Tensor& grad) { return std::vector<Tensor>{scaled(grad, factor)}; });
}

Variable relu(const Variable& x) {
  const Tensor out = Tensor::empty_like(x.value());
  run<cpu::relu_forward, cuda::relu_forward>("relu", x.device(), x.value(), out);
  return record("relu", out, {x}, [out](const Tensor& grad) {
    const Tensor grad_x = Tensor::empty_like(grad);
    run<cpu::relu_backward, cuda::relu_backward>("relu backward", grad.device(), out, grad, grad_x);
    return std::vector<Tensor>{grad_x};
  });
}

Variable sigmoid(const Variable& x) {
  const Tensor out = Tensor::empty_like(x.value());
  run<cpu::sigmoid_forward, cuda::sigmoid_forward>("sigmoid", x.device(), x.value(), out);
  return record("sigmoid", out, {x}, [out](const Tensor& grad) {
    const Tensor grad_x = Tensor::empty_like(grad);
    run<cpu::sigmoid_backward, cuda::sigmoid_backward>("sigmoid backward", grad.device(), out, grad,
                                                       grad_x);
    return std::vector<Tensor>{grad_x};
  });
}

Variable sum(const Variable& x) {
  const Tensor out = Tensor::empty({}, x.dtype(), x.device());
  run<cpu::sum, cuda::sum>("sum", x.device(), x.value(), out);
  return record("sum", out, {x}, [like = x.value()](const Tensor& grad) {
    const Tensor grad_x = Tensor::empty_like(like);
    run<cpu::spread, cuda::spread>("sum backward", grad.device(), grad, grad_x);
    return std::vector<Tensor>{grad_x};
  });
}

Variable cast(const Variable& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  check(is_float(x.dtype()) && is_float(dtype), "cast", "needs float types, got ",
        name_of(x.dtype()), " and ", name_of(dtype));
  return record("cast", x.value().to(dtype), {x}, [from = x.dtype()](const Tensor& grad) {
    return std::vector<Tensor>{grad.to(from)};
  });
}

Tensor scale_rows(Tensor weight, const Tensor& factor) {
  check(weight.rank() >= 1 && factor.shape() == Shape{weight.extent(0)}, "scale_rows",
        "needs one factor per row, got ", factor.shape(), " for ", weight.shape());
  const Tensor out = weight.shares_storage() ? Tensor::empty_like(weight) : weight;
  run<cpu::scale_rows, cuda::scale_rows>("scale_rows", weight.device(), weight, factor, out);
  return out;
}

}  // namespace soma
