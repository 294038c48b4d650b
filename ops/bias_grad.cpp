#include "ops/bias_grad.h"

#include "ops/checks.h"
#include "ops/dispatch.h"
#include "ops/elementwise.h"

namespace soma {

Tensor bias_grad(const Tensor& grad) {
  const Tensor sum =
      Tensor::empty({grad.shape().back()}, parameter_type(grad.dtype()), grad.device());
  run<cpu::bias_grad, cuda::bias_grad>("bias_grad", grad.device(), grad, sum);
  return sum;
}

Tensor relu_masked(const Tensor& out, const Tensor& grad) {
  if (!out.defined()) return grad;
  const Tensor masked = grad.shares_storage() ? Tensor::empty_like(grad) : grad;
  run<cpu::relu_backward, cuda::relu_backward>("relu backward", grad.device(), out, grad, masked);
  return masked;
}

}  // namespace soma
