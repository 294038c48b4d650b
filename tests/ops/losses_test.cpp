#include "ops/losses.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "base/random.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

using Values = std::vector<double>;

const std::vector<int64_t> kRows = {0, 1, 31, 32, 33};

// Labels in [-1, classes], so that both kinds of rows that do not count appear.
std::vector<int32_t> random_labels(int64_t rows, int64_t classes, uint32_t seed) {
  Random random(seed, RandomUse::test);
  std::vector<int32_t> labels;
  for (int64_t k = 0; k < rows; ++k) {
    labels.push_back(static_cast<int32_t>(random.below(static_cast<uint32_t>(classes) + 2)) - 1);
  }
  return labels;
}

Tensor labels_tensor(const std::vector<int32_t>& labels) {
  return Tensor::of<int32_t>({static_cast<int64_t>(labels.size())}, labels);
}

double naive_cross_entropy(const Values& x, const std::vector<int32_t>& labels, size_t classes) {
  double total = 0;
  for (size_t k = 0; k < labels.size(); ++k) {
    if (labels[k] < 0 || labels[k] >= static_cast<int32_t>(classes)) continue;
    double sum = 0;
    for (size_t c = 0; c < classes; ++c) sum += std::exp(x[k * classes + c]);
    total -= std::log(std::exp(x[k * classes + static_cast<size_t>(labels[k])]) / sum);
  }
  return total;
}

double naive_binary(double x, double t) {
  if (t < 0) return 0;
  const double p = 1 / (1 + std::exp(-x));
  return -(t == 0 ? 0 : t * std::log(p)) - (t == 1 ? 0 : (1 - t) * std::log(1 - p));
}

double naive_smooth(double d, double beta) {
  const double size = std::abs(d);
  if (beta == 0) return size;
  return size < beta ? 0.5 * d * d / beta : size - 0.5 * beta;
}

// The gradient of a loss of `x` for a loss that is scaled by 3 further on.
template <class Loss>
Values gradient_of(const Tensor& x, Loss loss) {
  const Variable leaf(x, true);
  const Variable out = loss(leaf);
  backward(record(
      "triple", Tensor::full({}, 3 * out.value().item(), x.dtype()), {out},
      [](const Tensor& grad) { return std::vector<Tensor>{Tensor::full({}, 3, grad.dtype())}; }));
  return leaf.grad().to_vector<double>();
}

Tensor one(double value = 1) { return Tensor::full({}, value); }
Tensor like(const Variable& x, double value) {
  return Tensor::full({}, value, x.dtype(), x.device());
}

}  // namespace

TEST_CASE("softmax_cross_entropy") {
  for (const int64_t classes : {1, 2, 5, 33}) {
    for (const int64_t rows : kRows) {
      if (rows * classes > 200) continue;
      const std::vector<int32_t> labels = random_labels(rows, classes, 3);
      op_test({.op = "softmax_cross_entropy",
               .name = std::to_string(rows) + " rows, " + std::to_string(classes) + " classes",
               .inputs = {random_tensor({rows, classes}, 1, -5, 5)},
               .run =
                   [labels](const auto& in) {
                     return softmax_cross_entropy(in[0], labels_tensor(labels).to(in[0].device()),
                                                  like(in[0], 7));
                   },
               .naive =
                   [labels, classes](const auto& in) {
                     const Values x = in[0].template to_vector<double>();
                     return Values{naive_cross_entropy(x, labels, static_cast<size_t>(classes)) /
                                   7};
                   }});
    }
  }
}

TEST_CASE("binary_cross_entropy_with_logits") {
  for (const int64_t n : kRows) {
    Tensor target = random_tensor({n, 2}, 4, -0.5, 1);
    for (int64_t i = 0; i < target.numel(); i += 3) {
      target.data<double>()[i] = static_cast<double>(i % 2);
    }
    op_test({.op = "binary_cross_entropy_with_logits",
             .name = std::to_string(n),
             .inputs = {random_tensor({n, 2}, 1, -6, 6), target},
             .differentiable = {true, false},
             .run =
                 [](const auto& in) {
                   return binary_cross_entropy_with_logits(in[0], in[1].value(), like(in[0], 5));
                 },
             .naive =
                 [](const auto& in) {
                   const Values x = in[0].template to_vector<double>();
                   const Values t = in[1].template to_vector<double>();
                   double total = 0;
                   for (size_t i = 0; i < x.size(); ++i) total += naive_binary(x[i], t[i]);
                   return Values{total / 5};
                 }});
  }
}

TEST_CASE("smooth_l1") {
  for (const double beta : {0.0, 1.0 / 9, 1.0}) {
    for (const int64_t rows : kRows) {
      const std::vector<int32_t> counted = random_labels(rows, 2, 5);  // -1 .. 2
      op_test(
          {.op = "smooth_l1",
           .name = std::to_string(rows) + " rows, beta " + std::to_string(beta),
           .inputs = {random_away_from_zero({rows, 4}, 1), Tensor::zeros({rows, 4}, DType::f64)},
           .differentiable = {true, false},
           .run =
               [counted, beta](const auto& in) {
                 return smooth_l1(in[0], in[1].value(), labels_tensor(counted).to(in[0].device()),
                                  beta, like(in[0], 2));
               },
           .naive =
               [counted, beta](const auto& in) {
                 const Values x = in[0].template to_vector<double>();
                 double total = 0;
                 for (size_t i = 0; i < x.size(); ++i) {
                   if (counted[i / 4] > 0) total += naive_smooth(x[i], beta);
                 }
                 return Values{total / 2};
               }});
    }
  }
}

TEST_CASE("softmax of rows, large logits included") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor x = Tensor::of<double>({2, 3}, {0, std::log(2.0), std::log(5.0), 1e4, 1e4, -1e4});
    const Values y = softmax(x.to(dtype)).to_vector<double>();
    const Values expected = {0.125, 0.25, 0.625, 0.5, 0.5, 0};
    for (size_t i = 0; i < y.size(); ++i) CHECK(y[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  }
  CHECK(softmax(Tensor::zeros({0, 3})).shape() == Shape{0, 3});
  CHECK(softmax(Tensor::zeros({3, 0})).shape() == Shape{3, 0});
}

TEST_CASE("losses at hand-computed points") {
  const Tensor x = Tensor::of<float>({1, 3}, {0.25F, -0.25F, 0.5F}), zero = Tensor::zeros({1, 3});
  const Tensor counted = Tensor::of<int32_t>({1}, {1});
  const auto smooth = [&](const Variable& in) { return smooth_l1(in, zero, counted, 0.5, one()); };
  // .5 * .0625 / .5 twice, and at beta the upper branch: .5 - .25. Slopes d / beta, then 1.
  CHECK(smooth(x).value().item() == 0.0625 * 2 + 0.25);
  CHECK(gradient_of(x, smooth) == Values{1.5, -1.5, 3});
  const auto absolute = [&](const Variable& in) { return smooth_l1(in, zero, counted, 0, one(2)); };
  CHECK(absolute(x).value().item() == 0.5);
  CHECK(gradient_of(Tensor::of<float>({1, 3}, {2, -3, 0}), absolute) == Values{1.5, -1.5, 0});

  // Logits beyond exp's range stay finite.
  const Tensor far = Tensor::of<float>({2}, {1000, -1000});
  const auto binary = [&](const Variable& in) {
    return binary_cross_entropy_with_logits(in, Tensor::of<float>({2}, {0.25F, 1}), one(2));
  };
  CHECK(binary(far).value().item() == 875);
  CHECK(gradient_of(far, binary) == Values{0.75 * 1.5, -1.5});
  const auto entropy = [&](const Variable& in) {
    return softmax_cross_entropy(in, Tensor::of<int32_t>({1}, {1}), one());
  };
  CHECK(entropy(Tensor::of<float>({1, 2}, {1e30F, 1e30F})).value().item() ==
        doctest::Approx(std::log(2.0)));
  CHECK(entropy(Tensor::of<float>({1, 2}, {1e4F, -1e4F})).value().item() == 2e4);
}

TEST_CASE("rows that do not count give exactly zero, whatever they hold") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  const Tensor x = Tensor::of<float>({3, 2}, {nan, 1, inf, -inf, 0, 0});
  const Tensor labels = Tensor::of<int32_t>({3}, {-1, 2, 0});
  const auto entropy = [&](const Variable& in) {
    return softmax_cross_entropy(in, labels, one(0.5));
  };
  CHECK(entropy(x).value().item() == doctest::Approx(2 * std::log(2.0)));
  CHECK(gradient_of(x, entropy) == Values{0, 0, 0, 0, -3, 3});
  const Tensor target = Tensor::of<float>({3, 2}, {-1, -1, -0.5F, -1, 0, 1});
  const auto binary = [&](const Variable& in) {
    return binary_cross_entropy_with_logits(in, target, one());
  };
  CHECK(binary(x).value().item() == doctest::Approx(2 * std::log(2.0)));
  CHECK(gradient_of(x, binary) == Values{0, 0, 0, 0, 1.5, -1.5});
  const auto smooth = [&](const Variable& in) {
    return smooth_l1(in, target, Tensor::of<int32_t>({3}, {0, -1, 1}), 0, one());
  };
  CHECK(smooth(x).value().item() == 1);
  CHECK(gradient_of(x, smooth) == Values{0, 0, 0, 0, 0, -3});
}

TEST_CASE("without a row that counts the loss is 0, also for normalizer 0") {
  const Tensor x = Tensor::zeros({2, 2}), none = Tensor::full({2}, -1, DType::i32);
  const auto entropy = [&](const Variable& in) { return softmax_cross_entropy(in, none, one(0)); };
  CHECK(entropy(x).value().item() == 0);
  CHECK(gradient_of(x, entropy) == Values(4, 0.0));
  CHECK(binary_cross_entropy_with_logits(x, Tensor::full({2, 2}, -1), one(0)).value().item() == 0);
  CHECK(smooth_l1(x, x, none, 1, one(0)).value().item() == 0);
}

TEST_CASE("a NaN that counts reaches the loss and the gradient") {
  const Tensor x = Tensor::of<float>({1, 2}, {0, std::nanf("")}), zero = Tensor::zeros({1, 2});
  const Tensor label = Tensor::zeros({1}, DType::i32), counted = Tensor::full({1}, 1, DType::i32);
  CHECK(std::isnan(softmax_cross_entropy(x, label, one()).value().item()));
  CHECK(std::isnan(binary_cross_entropy_with_logits(x, zero, one()).value().item()));
  for (const double beta : {0.0, 1.0}) {
    const auto smooth = [&](const Variable& in) {
      return smooth_l1(in, zero, counted, beta, one());
    };
    CHECK(std::isnan(smooth(x).value().item()));
    const Values grad = gradient_of(x, smooth);
    CHECK(grad[0] == 0);
    CHECK(std::isnan(grad[1]));
  }
}

TEST_CASE("losses add many chunks, to the same bits for any number of threads") {
  const Tensor x = random_tensor({20000, 3}, 1, -5, 5).to(DType::f32);
  const Tensor target = random_tensor({20000, 3}, 2, -0.2, 1).to(DType::f32);
  const std::vector<int32_t> labels = random_labels(20000, 3, 3);
  const Values v = x.to_vector<double>(), t = target.to_vector<double>();
  Values expected = {naive_cross_entropy(v, labels, 3), 0, 0};
  for (size_t i = 0; i < v.size(); ++i) {
    expected[1] += naive_binary(v[i], t[i]);
    if (labels[i / 3] > 0) expected[2] += naive_smooth(v[i] - t[i], 0.1);
  }
  Values first;
  for (const int threads : {1, 2, 5}) {
    set_thread_count(threads);
    const Values now = {softmax_cross_entropy(x, labels_tensor(labels), one()).value().item(),
                        binary_cross_entropy_with_logits(x, target, one()).value().item(),
                        smooth_l1(x, target, labels_tensor(labels), 0.1, one()).value().item()};
    if (threads == 1) first = now;
    CHECK(now == first);
    for (size_t i = 0; i < 3; ++i) CHECK(now[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  }
  set_thread_count(0);
}

TEST_CASE("losses name what does not fit") {
  const Tensor x = Tensor::zeros({2, 3}), i2 = Tensor::zeros({2}, DType::i32);
  CHECK_THROWS_WITH(softmax_cross_entropy(Tensor::zeros({6}), i2, one()),
                    "softmax_cross_entropy: logits must be [K, C], got [6]");
  CHECK_THROWS_WITH(softmax_cross_entropy(x, Tensor::zeros({2}), one()),
                    "softmax_cross_entropy: label must be i32[2] on cpu, got f32[2] on cpu");
  CHECK_THROWS_WITH(softmax_cross_entropy(x, Tensor::zeros({3}, DType::i32), one()),
                    "softmax_cross_entropy: label must be i32[2] on cpu, got i32[3] on cpu");
  CHECK_THROWS_WITH(softmax_cross_entropy(x, i2, Tensor::full({}, 1, DType::f64)),
                    "softmax_cross_entropy: needs a normalizer of one f32 on cpu, got f64[]");
  CHECK_THROWS_WITH(binary_cross_entropy_with_logits(x, Tensor::zeros({3, 2}), one()),
                    "binary_cross_entropy_with_logits: needs a target like the predictions, "
                    "f32[2, 3], got f32[3, 2]");
  CHECK_THROWS_WITH(smooth_l1(x, x, i2, -1, one()), "smooth_l1: beta must be 0 or more, got -1");
  CHECK_THROWS_WITH(softmax(Tensor::zeros({3})), "softmax: logits must be [K, C], got [3]");
}

}  // namespace soma::test
