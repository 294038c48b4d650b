#include "nn/init.h"

#include <cmath>

#include "base/random.h"

namespace soma {
namespace {

double fan_in(const Shape& weight) { return static_cast<double>(weight.product(1, weight.rank())); }

}  // namespace

template <class Draw>
Tensor Init::drawn(const Shape& shape, Draw draw) {
  if (blank_) return Tensor::zeros(shape, dtype_);
  Random random(seed_, RandomUse::initialise, stream_++);
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& value : values) value = draw(random);
  return Tensor::of(shape, values).to(dtype_);
}

Tensor Init::normal(const Shape& shape, double deviation) {
  return drawn(shape, [=](Random& random) { return deviation * random.normal(); });
}

Tensor Init::uniform(const Shape& shape, double bound) {
  return drawn(shape, [=](Random& random) { return random.uniform(-bound, bound); });
}

Tensor Init::he_fan_out(const Shape& weight) {
  const auto fan = static_cast<double>(weight.product(0, weight.rank() - 1));
  return normal(weight, std::sqrt(2 / fan));
}

Tensor Init::kaiming_uniform_fan_in(const Shape& weight) {
  return uniform(weight, std::sqrt(3 / fan_in(weight)));
}

Tensor Init::torch_default(const Shape& weight) {
  return uniform(weight, 1 / std::sqrt(fan_in(weight)));
}

}  // namespace soma
