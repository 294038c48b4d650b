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

Tensor absolute(const Tensor& x) {
  const Tensor result = x.to(DType::f64).clone();
  for (int64_t i = 0; i < x.numel(); ++i)
    result.data<double>()[i] = std::abs(result.data<double>()[i]);
  return result;
}

struct Results {
  std::vector<float> out;
  std::vector<std::vector<float>> grads;
};

// The output and the gradients of its projection on fixed values, in the operands' type; `sizes`:
// of absolute values.
Results results_of(const std::vector<Tensor>& inputs, DType dtype, Device device, const Run& run,
                   bool sizes = false) {
  const auto taken = [&](const Tensor& x) {
    return (sizes ? absolute(x) : x).to(dtype).to(device);
  };
  std::vector<Variable> variables;
  for (const Tensor& input : inputs) {
    variables.push_back(input.defined() ? Variable(taken(input), true) : Variable());
  }
  const Variable out = run(variables);
  CHECK(out.dtype() == dtype);
  const Tensor weights = taken(random_tensor(out.shape(), 99).to(DType::f16).to(DType::f32));
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

// Every element within what f16 and f32 sums cost: half a step of f16, and a step of f32 of what it
// sums for each of at most `terms` terms.
void check_each(const std::vector<float>& actual, const std::vector<float>& expected,
                const std::vector<float>& sizes, int64_t terms) {
  REQUIRE(actual.size() == expected.size());
  size_t wrong = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double limit = 0x1.01p-11 * std::abs(expected[i]) + 0x1p-25 +
                         0x1p-23 * static_cast<double>(terms) * sizes[i];
    wrong += std::abs(double{actual[i]} - expected[i]) <= limit ? 0 : 1;  // NaN counts
  }
  CHECK(wrong == 0);
}

// All passes of a product, against f64.
void check_product(const std::string& name, const std::vector<Shape>& shapes, int64_t terms,
                   const Run& run) {
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) {
    const auto seed = static_cast<uint32_t>(inputs.size() + 1);
    inputs.push_back(random_tensor(shape, seed).to(DType::f16).to(DType::f32));
  }
  const Results expected = results_of(inputs, DType::f64, Device::cpu, run);
  const Results sizes = results_of(inputs, DType::f64, Device::cpu, run, true);
  for_each_cuda_order([&](const std::string& how) {
    INFO(name << ", " << how);
    const Results actual = results_of(inputs, DType::f16, Device::cuda, run);
    check_each(actual.out, expected.out, sizes.out, terms);
    for (size_t i = 0; i < expected.grads.size(); ++i) {
      INFO("gradient " << i);
      check_each(actual.grads[i], expected.grads[i], sizes.grads[i], terms);
    }
  });
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

TEST_CASE("f16: products that end within tiles, fragments and runs") {
  if (host_memory_emulated()) return;
  const auto check_linear = [](int64_t rows, int64_t in, int64_t out) {
    check_product(text(rows, " x ", in, " to ", out), {{rows, in}, {out, in}, {out}},
                  std::max({rows, in, out}) + 1,
                  [](const auto& v) { return linear(v[0], v[1], v[2]); });
  };
  const std::vector<int64_t> edges = {1, 15, 16, 17, 31, 33, 63, 65, 127, 129};
  for (size_t i = 0; i < 10; ++i) {
    check_linear(edges[i], edges[(3 * i + 1) % 10], edges[(7 * i + 4) % 10]);
  }
  const std::vector<int64_t> runs = {8, 16, 24, 40, 64, 72, 136};
  for (size_t i = 0; i < 7; ++i) {
    check_linear(runs[i], runs[(3 * i + 1) % 7], runs[(5 * i + 2) % 7]);
  }
  check_linear(700, 16, 24);  // the gradient of the weight adds up parts of the rows
  check_linear(700, 15, 17);
}

TEST_CASE("f16: convolutions whose channels do or do not come in runs") {
  if (host_memory_emulated()) return;
  const auto check_conv = [](int64_t in, int64_t out, int64_t side, const Conv2dSpec& spec) {
    check_product(text(in, " to ", out, ", ", side, "x", side, "/", spec.stride),
                  {{2, 9, 7, in}, {out, side, side, in / spec.groups}, {out}},
                  std::max<int64_t>(side * side * std::max(in, out), 2 * 9 * 7) + 1,
                  [spec](const auto& v) { return conv2d(v[0], v[1], v[2], {}, spec); });
  };
  check_conv(16, 24, 3, {1, 1, 1, false});
  check_conv(15, 17, 3, {1, 1, 1, false});
  check_conv(33, 16, 3, {2, 1, 1, false});
  check_conv(32, 40, 3, {2, 1, 1, false});
  check_conv(16, 32, 3, {1, 1, 2, false});
  check_conv(4, 64, 7, {2, 3, 1, false});
  check_conv(40, 8, 1, {1, 0, 1, false});
  check_conv(8, 3, 1, {2, 0, 1, false});
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
