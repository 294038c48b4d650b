#include "nn/layers.h"

#include "base/check.h"
#include "nn/half.h"
#include "ops/batch_norm.h"
#include "ops/elementwise.h"
#include "ops/group_norm.h"
#include "ops/permute.h"

namespace soma {
namespace {

// A constant of its own, so that a prepared layer shares nothing that training writes.
Variable detached(const Variable& variable) {
  return variable.defined() ? Variable(variable.value().clone()) : Variable();
}

}  // namespace

Conv2d::Conv2d(Tensor weight, Tensor bias, const ConvOptions& options)
    : options_(options), weight_(weight, true) {
  const Shape channels{weight.extent(0)};
  const DType dtype = weight.dtype();
  if (options.norm == Norm::none) {
    bias_ = Variable(bias.defined() ? bias : Tensor::zeros(channels, dtype), true);
    return;
  }
  const bool learned = options.norm != Norm::frozen;
  gamma_ = Variable(Tensor::full(channels, 1, dtype), learned);
  beta_ = Variable(Tensor::zeros(channels, dtype), learned);
  if (options.norm == Norm::group) return;
  running_mean_ = Tensor::zeros(channels, dtype);
  running_var_ = Tensor::full(channels, 1, dtype);
}

Conv2dSpec Conv2d::spec(bool relu) const {
  return {options_.stride, options_.pad, options_.groups, relu};
}

Variable Conv2d::operator()(const Variable& x, const Variable& residual) const {
  if (packed_) {
    const HalfScope scope(half_);
    const Tensor added = options_.norm == Norm::group ? Tensor() : halved(residual).value();
    const Tensor out = conv2d_packed(halved(x).value(), *packed_, bias_.value(), added);
    return options_.norm == Norm::group ? normed(out, residual) : Variable(out);
  }
  switch (options_.norm) {
    case Norm::none:
      return conv2d(halved(x), halved_parameter(weight_), halved_parameter(bias_), halved(residual),
                    spec(options_.relu));
    case Norm::frozen: {
      const FoldedNorm norm =
          fold_batch_norm(gamma_.value(), beta_.value(), running_mean_, running_var_, options_.eps);
      return conv2d_scaled(halved(x), weight_, norm, halved(residual), spec(options_.relu));
    }
    default:
      return normed(conv2d(halved(x), halved_parameter(weight_), {}, {}, spec(false)), residual);
  }
}

Variable Conv2d::on_windows(const Variable& windows) const {
  check(options_.norm == Norm::none && options_.groups == 1 && !packed_, "conv",
        "takes windows in training only, and without norm and groups");
  const Shape& shape = weight_.shape();
  const int64_t inner = shape.product(1, 4);
  const Variable rows = reshape(windows, {windows.extent(0), inner});
  const Variable matrix = reshape(halved_parameter(weight_), {shape[0], inner});
  return linear(halved(rows), matrix, halved_parameter(bias_), options_.relu);
}

Variable Conv2d::normed(const Variable& x, const Variable& residual) const {
  if (options_.norm == Norm::group) {
    return group_norm(widened(x), gamma_, beta_, widened(residual),
                      {32, options_.eps, options_.relu});
  }
  return batch_norm(widened(x), gamma_, beta_, running_mean_, running_var_, widened(residual),
                    {options_.eps, 0.1, options_.relu});
}

void Conv2d::freeze() {
  for (Variable* variable : {&weight_, &bias_, &gamma_, &beta_}) {
    if (variable->defined()) variable->set_requires_grad(false);
  }
  if (options_.norm == Norm::batch) options_.norm = Norm::frozen;
}

void Conv2d::prepare(Precision precision) {
  if (packed_) return;
  Tensor weight = weight_.value();
  bool relu = options_.relu;
  if (options_.norm == Norm::group) relu = false;
  if (options_.norm == Norm::frozen || options_.norm == Norm::batch) {
    const NoGradScope scope;
    const FoldedNorm norm =
        fold_batch_norm(gamma_.value(), beta_.value(), running_mean_, running_var_, options_.eps);
    weight = scale_rows(weight, norm.scale);
    bias_ = halved_parameter(norm.shift);
    gamma_ = beta_ = Variable();
  } else {
    bias_ = halved_parameter(detached(bias_));
    gamma_ = detached(gamma_);
    beta_ = detached(beta_);
  }
  weight = halved_parameter(weight).value();
  half_ = weight.dtype();
  packed_ = pack_conv2d(weight, spec(relu), precision);
  weight_ = Variable();
}

void Conv2d::list(Members& members) {
  members.parameter("weight", weight_);
  members.parameter("bias", bias_);
  members.parameter("norm.weight", gamma_);
  members.parameter("norm.bias", beta_);
  members.buffer("norm.running_mean", running_mean_);
  members.buffer("norm.running_var", running_var_);
}

Linear::Linear(Tensor weight, Tensor bias, bool relu)
    : weight_(weight, true), bias_(bias, true), relu_(relu) {}

Variable Linear::operator()(const Variable& x) const {
  if (packed_) {
    const HalfScope scope(half_);
    return linear_packed(halved(x).value(), *packed_, bias_.value(), relu_);
  }
  return linear(halved(x), halved_parameter(weight_), halved_parameter(bias_), relu_);
}

void Linear::prepare(Precision precision) {
  if (packed_) return;
  const Tensor weight = halved_parameter(weight_.value()).value();
  half_ = weight.dtype();
  packed_ = pack_linear(weight, precision);
  bias_ = halved_parameter(detached(bias_));
  weight_ = Variable();
}

void Linear::list(Members& members) {
  members.parameter("weight", weight_);
  members.parameter("bias", bias_);
}

ConvTranspose2d::ConvTranspose2d(Tensor weight, Tensor bias, const ConvTranspose2dSpec& spec)
    : weight_(weight, true), bias_(bias, true), spec_(spec) {}

Variable ConvTranspose2d::operator()(const Variable& x) const {
  if (packed_) {
    const HalfScope scope(half_);
    return conv_transpose2d_packed(halved(x).value(), *packed_, bias_.value());
  }
  return conv_transpose2d(halved(x), halved_parameter(weight_), halved_parameter(bias_), spec_);
}

void ConvTranspose2d::prepare(Precision precision) {
  if (packed_) return;
  const Tensor weight = halved_parameter(weight_.value()).value();
  half_ = weight.dtype();
  packed_ = pack_conv_transpose2d(weight, spec_, precision);
  bias_ = halved_parameter(detached(bias_));
  weight_ = Variable();
}

void ConvTranspose2d::list(Members& members) {
  members.parameter("weight", weight_);
  members.parameter("bias", bias_);
}

}  // namespace soma
