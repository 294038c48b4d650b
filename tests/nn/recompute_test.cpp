#include "nn/recompute.h"

#include <doctest/doctest.h>

#include "nn/half.h"
#include "nn/layers.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

struct Step {
  std::vector<double> out, grad_x, grad_weight, grad_bias;
};

// `rows` at a time, or, for 0, all at once and kept; forward in the half type.
Step step(int64_t rows, int64_t count, DType dtype, DType half = DType::f32) {
  const Variable x(random_tensor({count, 6}, 1).to(dtype), true);
  Linear first(random_tensor({8, 6}, 2).to(dtype), random_tensor({8}, 3).to(dtype), true);
  Linear second(random_tensor({3, 8}, 4).to(dtype), random_tensor({3}, 5).to(dtype), false);
  const auto run = [=](const Variable& part) { return widened(second(first(part))); };
  const Variable out = [&] {
    const HalfScope scope(half);
    return rows > 0 ? recomputed(x, rows, run) : run(x);
  }();
  const Tensor grad = random_tensor(out.shape(), 6).to(out.dtype());
  backward(record("projection", Tensor::zeros({}), {out},
                  [grad](const Tensor&) { return std::vector<Tensor>{grad}; }));
  const Members members = members_of(first);
  const auto grad_of = [&](size_t i) {
    return members.parameters()[i].variable->grad().to_vector<double>();
  };
  return {out.value().to_vector<double>(), x.grad().to_vector<double>(), grad_of(0), grad_of(1)};
}

void check_same(const Step& a, const Step& b, double tolerance) {
  const auto close = [&](const std::vector<double>& x, const std::vector<double>& y) {
    REQUIRE(x.size() == y.size());
    for (size_t i = 0; i < x.size(); ++i) CHECK(std::abs(x[i] - y[i]) <= tolerance);
  };
  close(a.out, b.out);
  close(a.grad_x, b.grad_x);
  close(a.grad_weight, b.grad_weight);
  close(a.grad_bias, b.grad_bias);
}

}  // namespace

TEST_CASE("what is recomputed has the results and gradients of what is kept") {
  for (const int64_t count : {0, 1, 2, 7}) {
    CAPTURE(count);
    check_same(step(2, count, DType::f64), step(0, count, DType::f64), 1e-12);
  }
}

TEST_CASE("parameters learn of what is recomputed though its input does not") {
  const auto weight_grad = [](int64_t rows) {
    const Variable x(random_tensor({7, 6}, 1));
    Linear layer(random_tensor({3, 6}, 2), random_tensor({3}, 3), true);
    const auto run = [=](const Variable& part) { return layer(part); };
    const Variable out = rows > 0 ? recomputed(x, rows, run) : run(x);
    REQUIRE(out.requires_grad());
    backward(record("projection", Tensor::zeros({}, DType::f64), {out},
                    [grad = random_tensor(out.shape(), 4)](const Tensor&) {
                      return std::vector<Tensor>{grad};
                    }));
    return members_of(layer).parameters()[0].variable->grad().to_vector<double>();
  };
  CHECK(weight_grad(2) == weight_grad(0));
}

TEST_CASE("it is computed again in the half type of the forward pass") {
  if (host_memory_emulated()) return;
  check_same(step(2, 7, DType::f32, DType::bf16), step(0, 7, DType::f32, DType::bf16), 1e-5);
}

TEST_CASE("between the passes nothing of it lives but its input and result") {
  if (host_memory_emulated()) return;
  const Variable x(Tensor::full({64, 1024}, 1), true);
  Linear wide(Tensor::full({4096, 1024}, 0.1), Tensor::zeros({4096}), true);
  Linear narrow(Tensor::full({1, 4096}, 0.1), Tensor::zeros({1}), false);
  const int64_t before = memory_stats(Device::cpu).live_bytes;
  const Variable out = recomputed(x, 8, [=](const Variable& rows) { return narrow(wide(rows)); });
  CHECK(memory_stats(Device::cpu).live_bytes - before <= 1024);
  const NoGradScope scope;
  CHECK(recomputed(x, 8, [=](const Variable& rows) { return narrow(wide(rows)); })
            .value()
            .to_vector<float>() == out.value().to_vector<float>());
}

}  // namespace soma::test
