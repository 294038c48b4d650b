#include "ops/linear.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/parallel.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

std::vector<double> naive(const std::vector<Tensor>& in, bool relu) {
  const auto x = in[0].to_vector<double>(), w = in[1].to_vector<double>();
  const auto bias = in[2].defined() ? in[2].to_vector<double>() : std::vector<double>();
  const auto inner = static_cast<size_t>(in[0].extent(1));
  std::vector<double> out;
  for (size_t row = 0; row < static_cast<size_t>(in[0].extent(0)); ++row) {
    for (size_t o = 0; o < static_cast<size_t>(in[1].extent(0)); ++o) {
      double total = bias.empty() ? 0 : bias[o];
      for (size_t k = 0; k < inner; ++k) total += x[row * inner + k] * w[o * inner + k];
      out.push_back(relu ? std::max(0.0, total) : total);
    }
  }
  return out;
}

void run_case(int64_t rows, int64_t in, int64_t out, bool bias, bool relu) {
  op_test({.op = "linear",
           .name = text(rows, " x ", in, " to ", out),
           .inputs = {random_tensor({rows, in}, 1), random_tensor({out, in}, 2),
                      bias ? random_tensor({out}, 3) : Tensor()},
           .run = [relu](const auto& v) { return linear(v[0], v[1], v[2], relu); },
           .naive = [relu](const auto& v) { return naive(v, relu); }});
}

}  // namespace

TEST_CASE("linear with gradients") {
  run_case(1, 1, 1, true, false);
  run_case(7, 5, 17, true, true);
  run_case(13, 16, 3, false, true);
  run_case(3, 33, 9, true, false);
}

TEST_CASE("linear: no row, no input, no output") {
  run_case(0, 4, 3, true, true);
  run_case(3, 0, 2, true, false);
  run_case(3, 2, 0, true, false);
}

TEST_CASE("linear: packed weights give the same bits, for any number of threads") {
  if (host_memory_emulated()) return;  // packed weights are the CPU's, the others would not be
  const Tensor x = random_tensor({300, 700}, 1).to(DType::f32);
  const Tensor weight = random_tensor({100, 700}, 2).to(DType::f32);
  const Tensor bias = random_tensor({100}, 3).to(DType::f32);
  const auto packed = pack_linear(weight);
  const int before = thread_count();
  set_thread_count(1);
  const auto expected = linear(x, weight, bias, true).value().to_vector<float>();
  for (const int threads : {1, 2, 3, 8}) {
    set_thread_count(threads);
    CHECK(linear_packed(x, *packed, bias, true).to_vector<float>() == expected);
  }
  set_thread_count(before);
  CHECK(linear_packed(x.slice(0, 0), *packed, bias, true).shape() == Shape{0, 100});
}

TEST_CASE("linear: bf16 is the product of operands rounded to bf16, an odd inner axis stays f32") {
  for (const int64_t inner : {0, 2, 700, 3000, 33}) {
    const auto rounded = [&](const Tensor& x) {
      return inner % 2 == 0 ? x.to(DType::bf16).to(DType::f32) : x;
    };
    const Tensor x = random_tensor({30, inner}, 1).to(DType::f32);
    const Tensor weight = random_tensor({50, inner}, 2, -0.1, 0.1).to(DType::f32);
    const Tensor bias = random_tensor({50}, 3).to(DType::f32);
    const Tensor out = linear_packed(x, *pack_linear(weight, Precision::bf16), bias, true);
    const auto expected = naive({rounded(x), rounded(weight), bias}, true);
    const auto values = out.to_vector<double>();
    REQUIRE(values.size() == expected.size());
    INFO("inner " << inner);
    for (size_t i = 0; i < values.size(); ++i) {
      CHECK(values[i] == doctest::Approx(expected[i]).epsilon(1e-5));
    }
  }
  CHECK_THROWS_WITH(pack_linear(Tensor::zeros({2, 2}, DType::f64), Precision::bf16),
                    "linear: bf16 needs f32 weights on the CPU, got f64 on cpu");
}

TEST_CASE("linear: values between two bf16 go to the nearer, halves to the even one") {
  const float step = 0x1p-7F;  // between neighbours in [1, 2)
  const std::vector<float> values = {1 + step / 2,      1 + 3 * step / 2,     1 + step / 2 + 1e-6F,
                                     -1 - 3 * step / 2, 2 - step / 2 - 1e-6F, 0x1p-130F};
  const std::vector<float> expected = {1, 1 + 2 * step, 1 + step, -1 - 2 * step, 2 - step, 0};
  for (size_t i = 0; i < values.size(); ++i) {
    const Tensor x = Tensor::of<float>({1, 2}, {values[i], 0});
    const Tensor one = Tensor::of<float>({1, 2}, {1, 0});
    const double out = linear_packed(x, *pack_linear(one, Precision::bf16), {}, false).item();
    INFO(values[i]);
    CHECK(std::abs(out - expected[i]) < 1e-37);
  }
}

TEST_CASE("linear: shapes and types that do not fit are errors") {
  CHECK_THROWS_WITH(linear(Tensor::zeros({2, 3}), Tensor::zeros({4, 5}), {}),
                    "linear: needs x [K, in] and weight [out, in], got [2, 3] and [4, 5]");
  CHECK_THROWS_WITH(linear(Tensor::zeros({2, 3}), Tensor::zeros({4, 3}), Tensor::zeros({3})),
                    "linear: bias must be [4], got [3]");
  CHECK_THROWS_AS(linear(Tensor::zeros({2, 3}, DType::f64), Tensor::zeros({4, 3}), {}), Error);
}

}  // namespace soma::test
