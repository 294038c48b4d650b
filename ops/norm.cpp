#include "ops/norm.h"

#include <string_view>

#include "ops/dispatch.h"

namespace soma {
namespace {

void check_norm(const char* name, const NormInput& input, const NormLayout& layout,
                const NormSpec& spec) {
  const auto alike = [&](const Tensor& tensor, const Shape& shape, const char* what) {
    check(tensor.shape() == shape && tensor.dtype() == input.x.dtype() &&
              tensor.device() == input.x.device(),
          name, what, " must be ", name_of(input.x.dtype()), shape, " on ",
          name_of(input.x.device()), ", got ", name_of(tensor.dtype()), tensor.shape());
  };
  alike(input.gamma, {layout.channels}, "gamma");
  alike(input.beta, {layout.channels}, "beta");
  if (input.residual.defined()) alike(input.residual, input.x.shape(), "residual");
  check(spec.eps >= 0, name, "eps must be 0 or more, got ", spec.eps);
}

struct Needed {
  bool x, gamma, beta, residual;
};

std::vector<Tensor> gradients(const NormSaved& saved, const NormLayout& layout,
                              const NormSpec& spec, const Needed& needed, const Tensor& grad) {
  NormGradients grads;
  if (needed.x) grads.x = Tensor::empty_like(saved.x);
  if (needed.gamma) grads.gamma = Tensor::empty_like(saved.gamma);
  if (needed.beta) grads.beta = Tensor::empty_like(saved.gamma);
  if (needed.residual && spec.relu) grads.residual = Tensor::empty_like(saved.x);
  run<cpu::norm_backward, cuda::norm_backward>("norm backward", grad.device(), saved, layout, spec,
                                               grad, grads);
  return {grads.x, grads.gamma, grads.beta, needed.residual && !spec.relu ? grad : grads.residual};
}

}  // namespace

Normalised normalise(const char* name, const Variable& x, const Variable& gamma,
                     const Variable& beta, const Variable& residual, const NormLayout& layout,
                     const NormSpec& spec) {
  const NormInput input{x.value(), gamma.value(), beta.value(), residual.value()};
  check_norm(name, input, layout, spec);
  const Shape statistics{layout.segments, layout.groups};
  const NormOutput output{Tensor::empty_like(input.x),
                          Tensor::empty(statistics, DType::f64, x.device()),
                          Tensor::empty(statistics, DType::f64, x.device())};
  run<cpu::norm_forward, cuda::norm_forward>(name, x.device(), input, layout, spec, output);
  const NormSaved saved{input.x, input.gamma, spec.relu ? output.out : Tensor(), output.mean,
                        output.variance};
  const Needed needed{x.requires_grad(), gamma.requires_grad(), beta.requires_grad(),
                      residual.requires_grad()};
  const Variable out = record(name, output.out, {x, gamma, beta, residual},
                              [saved, layout, spec, needed](const Tensor& grad) {
                                return gradients(saved, layout, spec, needed, grad);
                              });
  return {out, output.mean, output.variance};
}

}  // namespace soma
