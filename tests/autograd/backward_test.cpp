#include <doctest/doctest.h>

#include "autograd/variable.h"

namespace soma {
namespace {

// y = factor * x, as a node.
Variable times(const Variable& x, double factor) {
  const Tensor value = x.value().clone();
  for (int64_t i = 0; i < value.numel(); ++i) value.data<double>()[i] *= factor;
  return record("times", value, {x}, [factor](const Tensor& grad) {
    const Tensor result = grad.clone();
    for (int64_t i = 0; i < result.numel(); ++i) result.data<double>()[i] *= factor;
    return std::vector<Tensor>{result};
  });
}

Variable plus(const Variable& a, const Variable& b) {
  const Tensor value = a.value().clone();
  for (int64_t i = 0; i < value.numel(); ++i)
    value.data<double>()[i] += b.value().data<double>()[i];
  return record("plus", value, {a, b}, [](const Tensor& grad) {
    return std::vector<Tensor>{grad, grad};
  });
}

// y = factor * x, added to what is there.
Variable adding(const Variable& x, const Variable& again, double factor) {
  return record_adding("adding", x.value().clone(), {x, again},
                       [factor](const Tensor& grad, const std::vector<Tensor>& sums) {
                         for (const Tensor& sum : sums) {
                           if (!sum.defined()) continue;
                           sum.data<double>()[0] += factor * grad.item();
                         }
                       });
}

Variable leaf(double value) { return Variable(Tensor::full({}, value, DType::f64), true); }

}  // namespace

TEST_CASE("a variable used twice gets both gradients, also when they share storage") {
  const Variable x = leaf(2);
  backward(plus(x, x));
  CHECK(x.grad().item() == 2);
  const Variable y = leaf(2), z = leaf(3);
  const Variable sum = plus(y, z);
  backward(plus(sum, times(y, 10)));
  CHECK(y.grad().item() == 11);
  CHECK(z.grad().item() == 1);
}

TEST_CASE("gradients of leaves add up over walks") {
  const Variable x = leaf(1);
  backward(times(x, 3));
  backward(times(x, 4));
  CHECK(x.grad().item() == 7);
}

TEST_CASE("a diamond is walked once per node, a long chain without recursion") {
  const Variable x = leaf(1);
  Variable y = x;
  for (int i = 0; i < 40; ++i) y = plus(y, y);
  backward(y);
  CHECK(x.grad().item() == 0x1p40);
}

TEST_CASE("constants and no-grad scopes record nothing") {
  const Variable constant(Tensor::full({}, 1, DType::f64));
  CHECK_FALSE(times(constant, 2).requires_grad());
  const Variable x = leaf(1);
  const NoGradScope scope;
  CHECK_FALSE(times(x, 2).requires_grad());
}

TEST_CASE("a value that no backward function keeps is given back during the forward pass") {
  const Variable x(Tensor::zeros({1024}, DType::f64), true);
  const int64_t before = memory_stats(Device::cpu).live_bytes;
  const Variable y = times(times(times(x, 2), 3), 4);
  CHECK(memory_stats(Device::cpu).live_bytes == before + 8192);  // y's own
}

TEST_CASE("nodes that add share the gradient of their input") {
  const Variable x = leaf(2), constant(Tensor::full({}, 1, DType::f64));
  const Variable y = times(x, 10);
  const Variable one = adding(y, constant, 3), two = adding(y, y, 5);
  backward(plus(plus(one, two), times(y, 7)));
  CHECK(x.grad().item() == 10 * (3 + 5 + 5 + 7));
  CHECK_FALSE(constant.grad().defined());
}

TEST_CASE("a gradient that is shared with others is copied before it is added to") {
  const Variable x = leaf(2), z = leaf(3);
  const Variable y = times(x, 1);
  const Variable older = adding(y, y, 3);
  backward(plus(plus(y, z), older));  // y and z get one tensor before `older` runs
  CHECK(x.grad().item() == 7);
  CHECK(z.grad().item() == 1);
}

TEST_CASE("memory of a walked graph is given back") {
  const Variable x = leaf(1);
  const int64_t before = memory_stats(Device::cpu).live_bytes;
  backward(times(times(x, 2), 3));
  CHECK(memory_stats(Device::cpu).live_bytes == before + 256);  // x's gradient: one smallest block
}

}  // namespace soma
