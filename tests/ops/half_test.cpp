// f16 on the device: what layers and the maps between them give, forward and backward, against the
// same op in f32 on the CPU, of operands that are f16's already. f16 keeps 11 bits and sums are in
// f32, so that results are off by a rounding of the result, and of what is summed on the way.
#include <doctest/doctest.h>

#include "ops/bias_grad.h"
#include "ops/conv2d.h"
#include "ops/conv_transpose2d.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/max_pool2d.h"
#include "ops/resize.h"
#include "tests/support/close.h"
#include "tests/support/cuda_orders.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

using Run = std::function<Variable(const std::vector<Variable>&)>;

struct Results {
  std::vector<float> out;
  std::vector<std::vector<float>> grads;
};

// The output and the gradients of its projection on fixed values, in the operands' type.
Results results_of(const std::vector<Tensor>& inputs, DType dtype, Device device, const Run& run) {
  std::vector<Variable> variables;
  for (const Tensor& input : inputs) {
    variables.push_back(input.defined() ? Variable(input.to(dtype).to(device), true) : Variable());
  }
  const Variable out = run(variables);
  CHECK(out.dtype() == dtype);
  const Tensor weights = random_tensor(out.shape(), 99).to(DType::f16).to(dtype).to(device);
  backward(record("projection", Tensor::zeros({}, dtype, device), {out},
                  [weights](const Tensor&) { return std::vector<Tensor>{weights}; }));
  Results results{out.value().to(Device::cpu).to_vector<float>(), {}};
  for (const Variable& variable : variables) {
    if (variable.defined()) {
      results.grads.push_back(variable.grad().to(Device::cpu).to_vector<float>());
    }
  }
  return results;
}

// Within `roundings` roundings of f16 of the largest element.
void check_near(const std::vector<float>& actual, const std::vector<float>& expected,
                double roundings) {
  check_close(actual, expected, roundings / 2048);
}

void check_half(const std::string& name, const std::vector<Shape>& shapes, const Run& run) {
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) {
    const auto seed = static_cast<uint32_t>(inputs.size() + 1);
    inputs.push_back(random_away_from_zero(shape, seed, 0.05).to(DType::f16).to(DType::f32));
  }
  const Results expected = results_of(inputs, DType::f32, Device::cpu, run);
  for_each_cuda_order([&](const std::string& how) {
    INFO(name << ", " << how);
    const Results actual = results_of(inputs, DType::f16, Device::cuda, run);
    check_near(actual.out, expected.out, 1);
    REQUIRE(actual.grads.size() == expected.grads.size());
    for (size_t i = 0; i < expected.grads.size(); ++i) {
      INFO("gradient " << i);
      check_near(actual.grads[i], expected.grads[i], 1);
    }
  });
}

}  // namespace

TEST_CASE("f16: layers") {
  if (host_memory_emulated()) return;  // the CPU has no f16
  const auto conv = [](const Conv2dSpec& spec) {
    return [spec](const auto& v) { return conv2d(v[0], v[1], v[2], v[3], spec); };
  };
  check_half("3x3", {{2, 7, 6, 8}, {5, 3, 3, 8}, {5}, {2, 7, 6, 5}}, conv({1, 1, 1, false}));
  check_half("3x3/2, groups", {{1, 9, 8, 8}, {4, 3, 3, 4}, {4}, {1, 5, 4, 4}},
             conv({2, 1, 2, false}));
  check_half("1x1", {{2, 5, 6, 16}, {9, 1, 1, 16}, {9}, {2, 5, 6, 9}}, conv({1, 0, 1, false}));
  check_half("linear", {{13, 33}, {17, 33}, {17}},
             [](const auto& v) { return linear(v[0], v[1], v[2]); });
  check_half("transposed", {{2, 3, 4, 8}, {8, 2, 2, 5}, {5}}, [](const auto& v) {
    return conv_transpose2d(v[0], v[1], v[2], {2, 0, false});
  });
}

TEST_CASE("f16: ReLU, pooling, the step down an FPN, sums") {
  if (host_memory_emulated()) return;
  check_half("relu", {{300}}, [](const auto& v) { return relu(v[0]); });
  check_half("add", {{300}, {300}}, [](const auto& v) { return add(v[0], v[1]); });
  check_half("used twice", {{300}}, [](const auto& v) { return add(v[0], scale(v[0], 0.5)); });
  check_half("max_pool2d", {{2, 7, 8, 3}}, [](const auto& v) {
    return max_pool2d(v[0], {3, 2, 1});
  });
  check_half("resize_add", {{1, 3, 4, 5}, {1, 6, 8, 5}},
             [](const auto& v) { return resize_add(v[0], v[1]); });
}

TEST_CASE("f16: a sum over many rows is not rounded on the way") {
  if (host_memory_emulated()) return;
  for_each_cuda_order([&](const std::string& how) {
    INFO(how);
    const Tensor ones = Tensor::full({5000, 3}, 1, DType::f16, Device::cuda);
    CHECK(bias_grad(ones).to(Device::cpu).to_vector<float>() == std::vector<float>(3, 5000));
  });
}

TEST_CASE("f16: not on the CPU") {
  if (host_memory_emulated()) return;
  const Tensor x = Tensor::zeros({1, 2, 2, 3}, DType::f16),
               w = Tensor::zeros({1, 1, 1, 3}, DType::f16);
  CHECK_THROWS_WITH(conv2d(x, w, {}, {}, {}), "conv2d: expected f32 or f64, got f16");
}

}  // namespace soma::test
