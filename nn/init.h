// Initial values. Each call draws from a stream of its own, numbered by the order of the calls, so
// a model built twice from one seed is the same to the bit. Fans are counted over NHWC weights
// [out, kh, kw, in / groups].
#pragma once
#include "tensor/tensor.h"

namespace soma {

class Init {
 public:
  explicit Init(uint64_t seed, DType dtype = DType::f32) : seed_(seed), dtype_(dtype) {}
  // Zeros instead of draws: for a model whose values are loaded next.
  static Init blank() {
    Init init(0);
    init.blank_ = true;
    return init;
  }

  Tensor constant(const Shape& shape, double value) { return Tensor::full(shape, value, dtype_); }
  Tensor normal(const Shape& shape, double deviation);
  Tensor uniform(const Shape& shape, double bound);  // in [-bound, bound)
  Tensor he_fan_out(const Shape& weight);  // He normal, fan = out * kh * kw (torch fan_out)
  Tensor kaiming_uniform_fan_in(const Shape& weight);  // a = 1: bound sqrt(3 / fan_in)
  Tensor torch_default(const Shape& weight);  // bound 1 / sqrt(fan_in): nn.Linear, nn.Conv2d

  DType dtype() const { return dtype_; }

 private:
  template <class Draw>
  Tensor drawn(const Shape& shape, Draw draw);

  uint64_t seed_;
  DType dtype_;
  uint32_t stream_ = 0;
  bool blank_ = false;
};

}  // namespace soma
