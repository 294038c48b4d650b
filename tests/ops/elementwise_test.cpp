#include "ops/elementwise.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/op_test.h"

namespace soma::test {
namespace {

// The expected output of an elementwise op.
auto naive_map(double (*function)(double, double)) {
  return [function](const std::vector<Tensor>& inputs) {
    std::vector<double> out;
    const std::vector<double> a = inputs.front().to_vector<double>();
    const std::vector<double> b = inputs.back().to_vector<double>();
    for (size_t i = 0; i < a.size(); ++i) out.push_back(function(a[i], b[i]));
    return out;
  };
}

const std::vector<int64_t> kSizes = {0, 1, 31, 32, 33, 100};

}  // namespace

TEST_CASE("add") {
  for (const int64_t n : kSizes) {
    op_test({.op = "add",
             .name = std::to_string(n),
             .inputs = {random_tensor({n}, 1), random_tensor({n}, 2)},
             .run = [](const auto& in) { return add(in[0], in[1]); },
             .naive = naive_map([](double a, double b) { return a + b; })});
  }
}

TEST_CASE("multiply") {
  for (const int64_t n : kSizes) {
    op_test({.op = "multiply",
             .name = std::to_string(n),
             .inputs = {random_tensor({n}, 1), random_tensor({n}, 2)},
             .run = [](const auto& in) { return multiply(in[0], in[1]); },
             .naive = naive_map([](double a, double b) { return a * b; })});
  }
}

TEST_CASE("a scaled gradient: the value as it is") {
  op_test({.op = "scale_gradient",  // by 1, which differences can see
           .name = "33",
           .inputs = {random_tensor({33, 2}, 1)},
           .run = [](const auto& in) { return scale_gradient(in[0], 1); },
           .naive = naive_map([](double a, double) { return a; })});
  const Variable x = Variable(Tensor::of<float>({3}, {1, -2, 3}), true);
  const Variable y = scale_gradient(x, 0.25);
  CHECK(y.value().to_vector<float>() == std::vector<float>{1, -2, 3});
  backward(sum(multiply(y, y)));
  CHECK(x.grad().to_vector<float>() == std::vector<float>{0.5, -1, 1.5});
}

TEST_CASE("scale, relu, sigmoid") {
  for (const int64_t n : kSizes) {
    op_test({.op = "scale",
             .name = std::to_string(n),
             .inputs = {random_tensor({n, 2}, 1)},
             .run = [](const auto& in) { return scale(in[0], -2.5); },
             .naive = naive_map([](double a, double) { return -2.5 * a; })});
    op_test({.op = "relu",
             .name = std::to_string(n),
             .inputs = {random_away_from_zero({n, 2}, 1)},
             .run = [](const auto& in) { return relu(in[0]); },
             .naive = naive_map([](double a, double) { return std::max(a, 0.0); })});
    op_test({.op = "sigmoid",
             .name = std::to_string(n),
             .inputs = {random_tensor({n, 2}, 1, -20, 20)},
             .run = [](const auto& in) { return sigmoid(in[0]); },
             .naive = naive_map([](double a, double) { return 1 / (1 + std::exp(-a)); })});
  }
}

TEST_CASE("sum adds everything, also over many chunks") {
  for (const int64_t n : {0, 1, 33}) {
    op_test({.op = "sum",
             .name = std::to_string(n),
             .inputs = {random_tensor({n}, 1)},
             .run = [](const auto& in) { return sum(in[0]); },
             .naive =
                 [](const auto& in) {
                   double total = 0;
                   for (const double x : in[0].template to_vector<double>()) total += x;
                   return std::vector<double>{total};
                 }});
  }
  CHECK(sum(Tensor::full({100000}, 0.5)).value().item() == 50000);
}

TEST_CASE("cast: to f64 and the gradient back") {
  op_test({.op = "cast",
           .name = "to f64",
           .inputs = {random_tensor({7}, 1)},
           .run = [](const auto& in) { return cast(in[0], DType::f64); },
           .naive = [](const auto& in) { return in[0].template to_vector<double>(); }});
  const Variable x(Tensor::full({2}, 1.0 / 3, DType::f32), true);
  CHECK(cast(x, DType::f16).value().to_vector<float>()[0] == 0.333251953125f);
  CHECK_THROWS_WITH(cast(x, DType::i32), "cast: needs float types, got f32 and i32");
}

TEST_CASE("scale_rows") {
  const Tensor x = Tensor::of<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  CHECK(scale_rows(x, Tensor::of<float>({3}, {2, -1, 0.5})).to_vector<float>() ==
        std::vector<float>{2, 4, -3, -4, 2.5, 3});
  CHECK_THROWS_WITH(scale_rows(x, Tensor::zeros({2})),
                    "scale_rows: needs one factor per row, got [2] for [3, 2]");
}

TEST_CASE("mismatched shapes are an error that shows both") {
  CHECK_THROWS_WITH(add(Tensor::zeros({2}), Tensor::zeros({3})),
                    "add: needs two tensors alike, got f32[2] and f32[3]");
}

}  // namespace soma::test
