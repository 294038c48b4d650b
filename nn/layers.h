// The layers of the model: each holds its parameters, runs forward on Variables, and can be
// prepared for inference, after which its norm is folded, its weights are packed once, and the
// unpacked ones are gone. Within a HalfScope (nn/half.h) it computes, or is prepared to, in the
// half type.
#pragma once
#include <memory>
#include <string>

#include "nn/module.h"
#include "ops/conv2d.h"
#include "ops/conv_transpose2d.h"
#include "ops/linear.h"

namespace soma {

enum class Norm { none, frozen, batch, group };

struct ConvOptions {
  int stride = 1;
  int pad = 0;
  int groups = 1;
  bool relu = false;
  Norm norm = Norm::none;  // none: the convolution has a bias; else the norm's shift stands for it
  double eps = 1e-5;       // of the norm
};

// Convolution, then norm, residual and ReLU as asked: relu(norm(conv(x)) + residual).
class Conv2d : public Module {
 public:
  Conv2d() = default;
  // weight [O, kh, kw, C/groups]; the bias (norm none) starts at `bias` or 0 when undefined.
  Conv2d(Tensor weight, Tensor bias, const ConvOptions& options);

  Variable operator()(const Variable& x, const Variable& residual = {}) const;
  // Training, without a norm: its answers at single pixels, windows [K, kh, kw, C] -> [K, O].
  Variable on_windows(const Variable& windows) const;
  void freeze();  // no gradients; a batch norm keeps its running statistics from now on
  void prepare(Precision precision = Precision::f32);  // inference only from now on
  void list(Members& members) override;

 private:
  Conv2dSpec spec(bool relu) const;
  Variable normed(const Variable& x, const Variable& residual) const;

  ConvOptions options_;
  Variable weight_, bias_, gamma_, beta_;
  Tensor running_mean_, running_var_;
  std::shared_ptr<const PackedConv2d> packed_;
  DType half_ = DType::f32;  // what it is packed in: f32, or f16
};

// y = x W^T + b, ReLU on request.
class Linear : public Module {
 public:
  Linear() = default;
  Linear(Tensor weight, Tensor bias, bool relu);
  Variable operator()(const Variable& x) const;
  Device device() const { return bias_.device(); }
  void prepare(Precision precision = Precision::f32);
  void list(Members& members) override;

 private:
  Variable weight_, bias_;
  bool relu_ = false;
  std::shared_ptr<const PackedGemm> packed_;
  DType half_ = DType::f32;
};

class ConvTranspose2d : public Module {
 public:
  ConvTranspose2d() = default;
  ConvTranspose2d(Tensor weight, Tensor bias, const ConvTranspose2dSpec& spec);
  Variable operator()(const Variable& x) const;
  void prepare(Precision precision = Precision::f32);
  void list(Members& members) override;

 private:
  Variable weight_, bias_;
  ConvTranspose2dSpec spec_;
  std::shared_ptr<const PackedConvTranspose2d> packed_;
  DType half_ = DType::f32;
};

}  // namespace soma
