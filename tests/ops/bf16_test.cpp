// bf16 on the CPU: what layers and the maps between them give, forward and backward, against the
// same op in f64, of operands that are bf16's already. Sums are in f32, so that maps are off by one
// rounding to bf16's 8 bits, and the gradients of parameters, which nothing rounds, by f32's.
#include <doctest/doctest.h>

#include "base/parallel.h"
#include "ops/bias_grad.h"
#include "ops/conv2d.h"
#include "ops/conv_transpose2d.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/max_pool2d.h"
#include "ops/resize.h"
#include "tests/support/close.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

using Run = std::function<Variable(const std::vector<Variable>&)>;

struct Operand {
  Shape shape;
  bool map = true;  // else a parameter
};

struct Results {
  std::vector<float> out;
  std::vector<std::vector<float>> grads;
  bool operator==(const Results&) const = default;
};

// Values that bf16 has, of a layer's size: weights have `inner` of them to a sum.
std::vector<Tensor> values_of(const std::vector<Operand>& operands) {
  std::vector<Tensor> values;
  for (const Operand& operand : operands) {
    const auto seed = static_cast<uint32_t>(values.size() + 1);
    const int rank = operand.shape.rank();
    const bool weight = !operand.map && rank > 1;
    const double size =
        weight ? std::sqrt(3.0 / static_cast<double>(operand.shape.product(1, rank))) : 1;
    values.push_back(
        random_tensor(operand.shape, seed, -size, size).to(DType::bf16).to(DType::f64));
  }
  return values;
}

// The output and the gradients of its projection on fixed values; maps are of `dtype`.
Results results_of(const std::vector<Operand>& operands, DType dtype, const Run& run) {
  const DType parameter = dtype == DType::bf16 ? DType::f32 : dtype;
  const std::vector<Tensor> values = values_of(operands);
  std::vector<Variable> variables;
  for (size_t i = 0; i < operands.size(); ++i) {
    variables.emplace_back(values[i].to(operands[i].map ? dtype : parameter), true);
  }
  const Variable out = run(variables);
  CHECK(out.dtype() == dtype);
  const Tensor weights = random_tensor(out.shape(), 99).to(DType::bf16).to(dtype);
  backward(record("projection", Tensor::zeros({}, dtype), {out},
                  [weights](const Tensor&) { return std::vector<Tensor>{weights}; }));
  Results results{out.value().to_vector<float>(), {}};
  for (const Variable& variable : variables) {
    CHECK(variable.grad().dtype() == variable.dtype());
    results.grads.push_back(variable.grad().to_vector<float>());
  }
  return results;
}

// Each map within a rounding of itself, and of the sums' own error.
void check_rounded(const std::vector<float>& actual, const std::vector<float>& expected) {
  REQUIRE(actual.size() == expected.size());
  double worst = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double allowed = std::abs(double{expected[i]}) / 256 + 2e-5;
    const double share = std::abs(double{actual[i]} - double{expected[i]}) / allowed;
    worst = share <= worst ? worst : share;  // NaN counts
  }
  CHECK(worst <= 1);
}

void check_bf16(const std::string& name, const std::vector<Operand>& operands, const Run& run) {
  INFO(name);
  const Results expected = results_of(operands, DType::f64, run);
  const int before = thread_count();
  set_thread_count(1);
  const Results actual = results_of(operands, DType::bf16, run);
  check_rounded(actual.out, expected.out);
  for (size_t i = 0; i < operands.size(); ++i) {
    INFO("gradient " << i);
    if (operands[i].map) {
      check_rounded(actual.grads[i], expected.grads[i]);
    } else {
      check_close(actual.grads[i], expected.grads[i], 5e-6);
    }
  }
  for (const int threads : {2, 3, 8}) {
    set_thread_count(threads);
    CHECK(results_of(operands, DType::bf16, run) == actual);
  }
  set_thread_count(before);
}

// x, weight, bias and a residual like the result.
void check_conv(const Shape& x, const Shape& weight, const Conv2dSpec& spec) {
  check_bf16(text("conv2d ", x, " ", weight, " stride ", spec.stride, " groups ", spec.groups),
             {{x}, {weight, false}, {{weight[0]}, false}, {conv2d_shape(x, weight, spec)}},
             [&](const auto& v) { return conv2d(v[0], v[1], v[2], v[3], spec); });
}

}  // namespace

TEST_CASE("bf16: convolutions, all passes") {
  if (host_memory_emulated()) return;  // devices have f16
  check_conv({2, 7, 6, 8}, {5, 3, 3, 8}, {1, 1, 1, false});
  check_conv({1, 9, 7, 8}, {6, 3, 3, 4}, {2, 1, 2, false});
  check_conv({2, 13, 9, 16}, {34, 3, 3, 16}, {2, 1, 1, false});
  check_conv({1, 5, 7, 1600}, {50, 1, 1, 1600}, {1, 0, 1, false});  // several blocks of the sum
  check_conv({1, 5, 7, 64}, {1602, 1, 1, 64}, {1, 0, 1, false});
  check_conv({1, 40, 41, 36}, {40, 1, 1, 36}, {1, 0, 1, false});  // several blocks of pixels
  check_conv({1, 8, 9, 20}, {12, 1, 1, 20}, {2, 0, 1, false});
  check_conv({1, 38, 40, 4}, {34, 7, 7, 4}, {2, 3, 1, false});  // a stem
  check_conv({2, 5, 6, 9}, {7, 3, 3, 9}, {1, 1, 1, false});     // odd: no pairs
  check_conv({1, 2, 900, 4}, {3, 1, 1, 4}, {1, 0, 1, false});
  check_conv({0, 4, 4, 4}, {2, 3, 3, 4}, {1, 1, 1, false});
}

TEST_CASE("bf16: large 3x3 layers, which go Winograd's way in f32 between maps of bf16") {
  if (host_memory_emulated()) return;
  check_conv({1, 22, 25, 32}, {37, 3, 3, 32}, {1, 1, 1, false});
  check_conv({3, 14, 14, 40}, {32, 3, 3, 40}, {1, 1, 1, false});
}

TEST_CASE("bf16: fully connected and transposed layers, all passes") {
  if (host_memory_emulated()) return;
  const auto full = [](const auto& v) { return linear(v[0], v[1], v[2]); };
  check_bf16("linear", {{{13, 33}}, {{17, 33}, false}, {{17}, false}}, full);
  check_bf16("linear", {{{130, 3000}}, {{40, 3000}, false}, {{40}, false}}, full);
  check_bf16("linear", {{{0, 4}}, {{3, 4}, false}, {{3}, false}}, full);
  check_bf16("conv_transpose2d", {{{2, 3, 4, 8}}, {{8, 2, 2, 5}, false}, {{5}, false}},
             [](const auto& v) {
               return conv_transpose2d(v[0], v[1], v[2], {2, 0, false});
             });
  check_bf16("conv_transpose2d", {{{1, 3, 4, 7}}, {{7, 2, 2, 6}, false}, {{6}, false}},
             [](const auto& v) {
               return conv_transpose2d(v[0], v[1], v[2], {2, 0, false});
             });
}

TEST_CASE("bf16: ReLU, pooling, the step down an FPN, sums") {
  if (host_memory_emulated()) return;
  check_bf16("relu", {{{300}}}, [](const auto& v) { return relu(v[0]); });
  check_bf16("add", {{{300}}, {{300}}}, [](const auto& v) { return add(v[0], v[1]); });
  check_bf16("max_pool2d", {{{2, 7, 8, 3}}}, [](const auto& v) {
    return max_pool2d(v[0], {3, 2, 1});
  });
  check_bf16("resize_add", {{{1, 3, 4, 5}}, {{1, 6, 8, 5}}},
             [](const auto& v) { return resize_add(v[0], v[1]); });
  const Tensor ones = Tensor::full({5000, 3}, 1, DType::bf16);
  CHECK(bias_grad(ones).to_vector<float>() == std::vector<float>(3, 5000));
}

TEST_CASE("bf16: a layer's ReLU ends its gradient where the result is 0") {
  if (host_memory_emulated()) return;
  const Variable x(Tensor::of<float>({2, 2}, {1, 2, -1, 2}).to(DType::bf16), true);
  const Variable weight(Tensor::of<float>({1, 2}, {1, 0}), true);
  const Variable out = linear(x, weight, {}, true);
  CHECK(out.value().to_vector<float>() == std::vector<float>{1, 0});
  backward(record("projection", Tensor::zeros({}), {out}, [](const Tensor&) {
    return std::vector<Tensor>{Tensor::full({2, 1}, 3, DType::bf16)};
  }));
  CHECK(x.grad().to_vector<float>() == std::vector<float>{3, 0, 0, 0});
  CHECK(weight.grad().to_vector<float>() == std::vector<float>{3, 6});
}

TEST_CASE("bf16: parameters beside maps of bf16 are f32") {
  if (host_memory_emulated()) return;
  const Tensor x = Tensor::zeros({1, 2, 2, 4}, DType::bf16);
  CHECK_THROWS_WITH(conv2d(x, Tensor::zeros({1, 1, 1, 4}, DType::bf16), {}, {}, {}),
                    "conv2d: weight is bf16 on cpu, x is bf16 on cpu");
  CHECK_THROWS_WITH(linear_packed(Tensor::zeros({1, 4}, DType::bf16),
                                  *pack_linear(Tensor::zeros({1, 4})), {}, false),
                    "linear: packed weights take f32, got bf16");
}

}  // namespace soma::test
