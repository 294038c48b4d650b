#include "ops/batch_norm.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/parallel.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

using Values = std::vector<double>;

struct Statistics {
  Values mean, variance;  // biased
};

Statistics naive_statistics(const Values& x, size_t channels) {
  Statistics result{Values(channels, 0.0), Values(channels, 0.0)};
  const double n = static_cast<double>(x.size() / channels);
  for (size_t i = 0; i < x.size(); ++i) result.mean[i % channels] += x[i] / n;
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = x[i] - result.mean[i % channels];
    result.variance[i % channels] += d * d / n;
  }
  return result;
}

// Inputs x, gamma, beta, residual (may be undefined).
Values naive_batch_norm(const std::vector<Tensor>& in, const BatchNormSpec& spec) {
  Values out = in[0].to_vector<double>();
  const size_t channels = static_cast<size_t>(in[0].shape().back());
  const Statistics s = naive_statistics(out, channels);
  const Values gamma = in[1].to_vector<double>(), beta = in[2].to_vector<double>();
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t c = i % channels;
    out[i] = (out[i] - s.mean[c]) / std::sqrt(s.variance[c] + spec.eps) * gamma[c] + beta[c];
    if (in[3].defined()) out[i] += in[3].to_vector<double>()[i];
    if (spec.relu) out[i] = std::max(out[i], 0.0);
  }
  return out;
}

Variable run_batch_norm(const std::vector<Variable>& in, const BatchNormSpec& spec) {
  const Tensor mean = Tensor::zeros_like(in[1].value()), variance = mean.clone();
  return batch_norm(in[0], in[1], in[2], mean, variance, in[3], spec);
}

// A residual that keeps the sum at least `gap` from 0, so that ReLU's kink is stepped around.
Tensor residual_away_from_kink(const std::vector<Tensor>& in, double gap) {
  const Values y = naive_batch_norm({in[0], in[1], in[2], Tensor()}, {});
  const Tensor residual = random_tensor(in[0].shape(), 9);
  double* values = residual.data<double>();
  for (size_t i = 0; i < y.size(); ++i) {
    if (std::abs(y[i] + values[i]) < gap) values[i] += 3 * gap;
  }
  return residual;
}

void test_case(const Shape& shape, bool relu, bool with_residual) {
  const int64_t channels = shape[3];
  std::vector<Tensor> in = {random_tensor(shape, 1, -2, 3), random_tensor({channels}, 2, 0.5, 2),
                            random_tensor({channels}, 3), Tensor()};
  if (with_residual) in[3] = residual_away_from_kink(in, 1e-3);
  const BatchNormSpec spec{1e-5, 0.1, relu};
  op_test({.op = "batch_norm",
           .name = shape.to_string() + (relu ? " relu" : "") + (with_residual ? " residual" : ""),
           .inputs = in,
           .run = [spec](const auto& v) { return run_batch_norm(v, spec); },
           .naive = [spec](const auto& v) { return naive_batch_norm(v, spec); },
           .f32_tolerance = 2e-5});
}

Tensor large_mean(const Shape& shape, float mean) {
  const Tensor x = random_tensor(shape, 1).to(DType::f32);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] += mean;
  return x;
}

}  // namespace

TEST_CASE("batch_norm") {
  for (const Shape& shape : {Shape{2, 1, 1, 3}, Shape{1, 3, 3, 1}, Shape{2, 3, 2, 5},
                             Shape{3, 1, 2, 31}, Shape{1, 2, 2, 32}, Shape{1, 3, 1, 33}}) {
    for (const bool with_residual : {false, true}) test_case(shape, false, with_residual);
    test_case(shape, true, true);
  }
  test_case({1, 5, 5, 3}, true, false);
  const Tensor none = Tensor::zeros({0});
  CHECK(batch_norm(Tensor::zeros({2, 1, 1, 0}), none, none, none, none, {}, {}).shape() ==
        Shape{2, 1, 1, 0});
}

TEST_CASE("batch_norm gives each gradient alone") {
  const Shape shape{2, 2, 2, 3};
  for (size_t wanted = 0; wanted < 4; ++wanted) {
    std::vector<Tensor> in = {random_tensor(shape, 1), random_tensor({3}, 2, 0.5, 2),
                              random_tensor({3}, 3), Tensor()};
    in[3] = residual_away_from_kink(in, 1e-3);
    std::vector<bool> differentiable(4, false);
    differentiable[wanted] = true;
    op_test({.op = "batch_norm",
             .name = "only input " + std::to_string(wanted),
             .inputs = in,
             .differentiable = differentiable,
             .run =
                 [](const auto& v) {
                   return run_batch_norm(v, {1e-5, 0.1, true});
                 },
             .naive =
                 [](const auto& v) {
                   return naive_batch_norm(v, {1e-5, 0.1, true});
                 }});
  }
}

TEST_CASE("batch_norm over many blocks and tasks, with many threads") {
  for (const Shape& shape : {Shape{2, 50, 60, 64}, Shape{2, 150, 160, 3}}) {
    const std::vector<Tensor> in = {random_tensor(shape, 1, -2, 3), random_tensor({shape[3]}, 2),
                                    random_tensor({shape[3]}, 3), Tensor()};
    const Values expected = naive_batch_norm(in, {});
    std::vector<float> first_grad;
    for (const int threads : {1, 3}) {
      set_thread_count(threads);
      const Variable x(in[0].to(DType::f32), true);
      const Variable out =
          run_batch_norm({x, in[1].to(DType::f32), in[2].to(DType::f32), Variable()}, {});
      const Values y = out.value().to_vector<double>();
      double worst = 0;
      for (size_t i = 0; i < y.size(); ++i) worst = std::max(worst, std::abs(y[i] - expected[i]));
      CHECK(worst < 1e-5);
      backward(record("rows", Tensor::zeros({}), {out}, [&](const Tensor&) {
        return std::vector<Tensor>{random_tensor(shape, 5).to(DType::f32)};
      }));
      if (threads == 1) first_grad = x.grad().to_vector<float>();
      CHECK(x.grad().to_vector<float>() == first_grad);
    }
  }
  set_thread_count(0);
}

TEST_CASE("running statistics follow torch") {
  // torch 2.15: BatchNorm2d(2, momentum=.25) from running mean (1, -2) and variance (4, .5).
  const Tensor x = Tensor::of<float>({1, 2, 2, 2}, {1, 10, 2, -4, 4, 0, 9, 6});
  const Tensor gamma = Tensor::full({2}, 1), beta = Tensor::zeros({2});
  const Tensor mean = Tensor::of<float>({2}, {1, -2}), variance = Tensor::of<float>({2}, {4, 0.5F});
  const uint64_t version = mean.version();
  const Variable out = batch_norm(x, gamma, beta, mean, variance, Variable(), {1e-5, 0.25, false});
  const Values expected = {
      -0.9733280539512634, 1.2998671531677246, -0.6488853693008423, -1.2998671531677246, 0.0,
      -0.5570859313011169, 1.622213363647461,  0.5570858716964722};
  const Values y = out.value().to_vector<double>();
  for (size_t i = 0; i < 8; ++i) CHECK(y[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  CHECK(mean.to_vector<float>() == std::vector<float>{1.75F, -0.75F});
  CHECK(variance.to_vector<float>()[0] == doctest::Approx(6.1666669845581055).epsilon(1e-7));
  CHECK(variance.to_vector<float>()[1] == doctest::Approx(10.041666984558105).epsilon(1e-7));
  CHECK(mean.version() > version);
}

TEST_CASE("a large mean costs no precision") {
  const Shape shape{2, 40, 40, 16};
  const Tensor x = large_mean(shape, 4096);
  const Tensor gamma = Tensor::full({16}, 1), beta = Tensor::zeros({16});
  const Tensor mean = Tensor::zeros({16}), variance = Tensor::zeros({16});
  const Variable leaf(x, true);
  const Variable out = batch_norm(leaf, gamma, beta, mean, variance, Variable(), {1e-5, 1, false});
  // The definition in f64, of the very f32 values: what is left is the arithmetic of this op.
  const Tensor exact = x.to(DType::f64);
  const Variable leaf64(exact, true);
  const std::vector<Tensor> inputs = {exact, gamma.to(DType::f64), beta.to(DType::f64), Tensor()};
  const Values expected = naive_batch_norm(inputs, {});
  const Values y = out.value().to_vector<double>();
  double worst = 0;
  for (size_t i = 0; i < y.size(); ++i) worst = std::max(worst, std::abs(y[i] - expected[i]));
  CHECK(worst < 2e-6);
  const Statistics s = naive_statistics(exact.to_vector<double>(), 16);
  const double unbiased = 3200.0 / 3199;
  for (size_t c = 0; c < 16; ++c) {
    CHECK(variance.to_vector<double>()[c] ==
          doctest::Approx(s.variance[c] * unbiased).epsilon(1e-6));
  }
  const Tensor weights = random_tensor(shape, 5).to(DType::f32);
  const auto gradient = [&](const Variable& result, const Variable& input) {
    const Tensor typed = weights.to(input.dtype());
    backward(record("weighted", Tensor::zeros({}, input.dtype()), {result},
                    [&](const Tensor&) { return std::vector<Tensor>{typed}; }));
    return input.grad().to_vector<double>();
  };
  const Values grad = gradient(out, leaf);
  const Values grad64 =
      gradient(run_batch_norm({leaf64, inputs[1], inputs[2], Variable()}, {}), leaf64);
  worst = 0;
  for (size_t i = 0; i < grad.size(); ++i) worst = std::max(worst, std::abs(grad[i] - grad64[i]));
  CHECK(worst < 4e-6);
}

TEST_CASE("the variance survives a mean of a million and is never negative") {
  const Tensor gamma = Tensor::full({8}, 1), beta = Tensor::zeros({8});
  const auto variance_of = [&](const Tensor& x) {
    const Tensor mean = Tensor::zeros({8}), variance = Tensor::zeros({8});
    batch_norm(x, gamma, beta, mean, variance, Variable(), {1e-5, 1, false});
    return variance.to_vector<double>();
  };
  const Tensor x = large_mean({1, 50, 100, 8}, 1e6F);
  const Statistics s = naive_statistics(x.to(DType::f64).to_vector<double>(), 8);
  const Values found = variance_of(x);
  for (size_t c = 0; c < 8; ++c) {
    CHECK(found[c] == doctest::Approx(s.variance[c] * 5000 / 4999).epsilon(1e-6));
  }
  for (int i = 1; i <= 50; ++i) {
    for (const double v : variance_of(Tensor::full({1, 7, 13, 8}, 0.1 * i))) CHECK(v >= 0);
  }
}

TEST_CASE("a constant channel gives beta, also behind rows of another value") {
  const Tensor gamma = Tensor::full({1}, 3), beta = Tensor::full({1}, 0.25);
  const auto norm = [&](const Tensor& x, const BatchNormSpec& spec) {
    const Tensor mean = Tensor::zeros({1}), variance = Tensor::zeros({1});
    return batch_norm(x, gamma, beta, mean, variance, Variable(), spec).value();
  };
  for (const float y : norm(Tensor::full({1, 50, 50, 1}, 0.1), {}).to_vector<float>()) {
    CHECK(y == doctest::Approx(0.25).epsilon(1e-5));
  }
  // The first half 0, the second 1e4 +- 1: the deviations of the second half must survive.
  const Tensor x = Tensor::zeros({1, 200, 200, 1});
  for (int64_t i = 20000; i < 40000; ++i) x.data<float>()[i] = i % 2 ? 10001 : 9999;
  const Values y = norm(x, {}).to_vector<double>();
  const Values expected = naive_batch_norm({x.to(DType::f64), gamma, beta, Tensor()}, {});
  double worst = 0;
  for (size_t i = 0; i < y.size(); ++i) worst = std::max(worst, std::abs(y[i] - expected[i]));
  CHECK(worst < 2e-6);
}

TEST_CASE("NaN reaches its channel only") {
  const Tensor x = random_tensor({1, 4, 4, 2}, 1).to(DType::f32);
  x.data<float>()[6] = std::nanf("");
  const Tensor gamma = Tensor::full({2}, 1), beta = Tensor::zeros({2});
  const Variable out = run_batch_norm({x, gamma, beta, Variable()}, {1e-5, 0.1, true});
  const std::vector<float> y = out.value().to_vector<float>();
  for (size_t i = 0; i < y.size(); ++i) CHECK(std::isnan(y[i]) == (i % 2 == 0));
}

TEST_CASE("fold_batch_norm gives the affine map of fixed statistics") {
  const Tensor gamma = Tensor::of<float>({2}, {2, -1}), beta = Tensor::of<float>({2}, {0.5F, 1});
  const Tensor mean = Tensor::of<float>({2}, {3, -1}), variance = Tensor::of<float>({2}, {3, 8});
  const FoldedNorm folded = fold_batch_norm(gamma, beta, mean, variance, 1);
  CHECK(folded.scale.to_vector<double>()[0] == 1);
  CHECK(folded.scale.to_vector<double>()[1] == doctest::Approx(-1.0 / 3).epsilon(1e-7));
  CHECK(folded.shift.to_vector<double>()[0] == -2.5);
  CHECK(folded.shift.to_vector<double>()[1] == doctest::Approx(2.0 / 3).epsilon(1e-7));
  const Tensor none = Tensor::zeros({0});
  CHECK(fold_batch_norm(none, none, none, none, 0).scale.numel() == 0);
  CHECK_THROWS_WITH(fold_batch_norm(gamma, beta, mean, none, 0),
                    "fold_batch_norm: running_var must be f32[2] on cpu, got f32[0]");
}

TEST_CASE("batch_norm names what does not fit") {
  const Tensor x = Tensor::zeros({1, 2, 2, 3}), three = Tensor::zeros({3}),
               two = Tensor::zeros({2});
  const auto norm = [&](const Tensor& input, const Tensor& gamma, const Tensor& running,
                        const Tensor& residual) {
    return batch_norm(input, gamma, three, running, running, residual, {});
  };
  CHECK_THROWS_WITH(norm(three, three, three, {}), "batch_norm: x must be [N, H, W, C], got [3]");
  CHECK_THROWS_WITH(norm(x, two, two, {}), "batch_norm: gamma must be f32[3] on cpu, got f32[2]");
  CHECK_THROWS_WITH(norm(x, three, two, {}),
                    "batch_norm: running_mean must be f32[3] on cpu, got f32[2]");
  CHECK_THROWS_WITH(norm(x, three, three, Tensor::zeros({1, 2, 2, 2})),
                    "batch_norm: residual must be f32[1, 2, 2, 3] on cpu, got f32[1, 2, 2, 2]");
  CHECK_THROWS_WITH(norm(Tensor::zeros({1, 1, 1, 3}), three, three, {}),
                    "batch_norm: needs at least 2 values per channel, got [1, 1, 1, 3]");
  CHECK_THROWS_WITH(norm(Tensor::zeros({0, 2, 2, 3}), three, three, {}),
                    "batch_norm: needs at least 2 values per channel, got [0, 2, 2, 3]");
}

}  // namespace soma::test
