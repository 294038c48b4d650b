#include "ops/group_norm.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/parallel.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

using Values = std::vector<double>;

// Inputs x, gamma, beta, residual (may be undefined).
Values naive_group_norm(const std::vector<Tensor>& in, const GroupNormSpec& spec) {
  const Values x = in[0].to_vector<double>();
  const Values gamma = in[1].to_vector<double>(), beta = in[2].to_vector<double>();
  const auto images = static_cast<size_t>(in[0].extent(0));
  const auto channels = static_cast<size_t>(in[0].extent(3));
  const size_t size = images == 0 ? 0 : x.size() / images;
  const size_t width = channels / static_cast<size_t>(spec.groups);
  const auto same_group = [&](size_t i, size_t j) {
    return i / size == j / size && i % channels / width == j % channels / width;
  };
  Values out;
  for (size_t i = 0; i < x.size(); ++i) {
    double n = 0, mean = 0, variance = 0;
    for (size_t j = 0; j < x.size(); ++j) {
      if (same_group(i, j)) n += 1, mean += x[j];
    }
    mean /= n;
    for (size_t j = 0; j < x.size(); ++j) {
      if (same_group(i, j)) variance += (x[j] - mean) * (x[j] - mean) / n;
    }
    const size_t c = i % channels;
    double y = (x[i] - mean) / std::sqrt(variance + spec.eps) * gamma[c] + beta[c];
    if (in[3].defined()) y += in[3].to_vector<double>()[i];
    out.push_back(spec.relu ? std::max(y, 0.0) : y);
  }
  return out;
}

void test_case(const Shape& shape, const GroupNormSpec& spec, bool with_residual) {
  std::vector<Tensor> in = {random_tensor(shape, 1, -2, 3), random_tensor({shape[3]}, 2, 0.5, 2),
                            random_tensor({shape[3]}, 3), Tensor()};
  if (with_residual) {
    GroupNormSpec linear = spec;
    linear.relu = false;
    const Values y = naive_group_norm(in, linear);
    in[3] = random_tensor(shape, 4);
    for (size_t i = 0; i < y.size(); ++i) {  // ReLU's kink is stepped around
      double& value = in[3].data<double>()[i];
      if (std::abs(y[i] + value) < 1e-3) value += 3e-3;
    }
  }
  op_test({.op = "group_norm",
           .name = shape.to_string() + " in " + std::to_string(spec.groups) +
                   (spec.relu ? " relu" : "") + (with_residual ? " residual" : ""),
           .inputs = in,
           .run = [spec](const auto& v) { return group_norm(v[0], v[1], v[2], v[3], spec); },
           .naive = [spec](const auto& v) { return naive_group_norm(v, spec); },
           .f32_tolerance = 2e-5});
}

}  // namespace

TEST_CASE("group_norm") {
  for (const auto& [channels, groups] :
       {std::pair<int64_t, int>{4, 2}, {6, 6}, {5, 1}, {33, 11}, {32, 32}, {31, 1}}) {
    for (const int64_t images : {0, 1, 2}) {
      test_case({images, 2, 1, channels}, {groups, 1e-5, false}, false);
    }
    test_case({2, 1, 2, channels}, {groups, 1e-5, true}, true);
  }
  test_case({3, 3, 2, 4}, {2, 1e-3, false}, true);
  test_case({2, 0, 3, 4}, {2, 1e-5, true}, true);
}

TEST_CASE("group_norm joins many tasks, with the same bits for any number of threads") {
  const Shape shape{2, 90, 100, 12};
  const Tensor x = random_tensor(shape, 1, 50, 51).to(DType::f32);
  const Tensor gamma = Tensor::full({12}, 1), beta = Tensor::zeros({12});
  std::vector<float> first;
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    const Variable leaf(x, true);
    const Variable out = group_norm(leaf, gamma, beta, Variable(), {4, 0, false});
    const Values y = out.value().to_vector<double>();
    for (size_t group = 0; group < 8; ++group) {  // mean 0 and variance 1 in every group
      double mean = 0, square = 0;
      for (size_t i = 0; i < 27000; ++i) {
        const double v = y[group / 4 * 108000 + i / 3 * 12 + group % 4 * 3 + i % 3];
        mean += v / 27000, square += v * v / 27000;
      }
      CHECK(std::abs(mean) < 1e-6);
      CHECK(square == doctest::Approx(1).epsilon(1e-6));
    }
    backward(record("weighted", Tensor::zeros({}), {out}, [&](const Tensor&) {
      return std::vector<Tensor>{random_tensor(shape, 5).to(DType::f32)};
    }));
    if (threads == 1) first = leaf.grad().to_vector<float>();
    CHECK(leaf.grad().to_vector<float>() == first);
  }
  set_thread_count(0);
}

TEST_CASE("group_norm names what does not fit") {
  const Tensor x = Tensor::zeros({1, 2, 2, 6}), six = Tensor::zeros({6}), two = Tensor::zeros({2});
  CHECK_THROWS_WITH(group_norm(six, six, six, {}, {}),
                    "group_norm: x must be [N, H, W, C], got [6]");
  CHECK_THROWS_WITH(group_norm(x, six, six, {}, {4}),
                    "group_norm: 6 channels do not divide into 4 groups");
  CHECK_THROWS_WITH(group_norm(x, six, six, {}, {0}),
                    "group_norm: 6 channels do not divide into 0 groups");
  CHECK_THROWS_WITH(group_norm(x, six, two, {}, {3}),
                    "group_norm: beta must be f32[6] on cpu, got f32[2]");
  CHECK_THROWS_WITH(group_norm(x, six, six, {}, {3, -1}),
                    "group_norm: eps must be 0 or more, got -1");
}

}  // namespace soma::test
