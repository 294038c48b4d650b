#include "ops/max_pool2d.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

using Values = std::vector<double>;

Values naive_pool(const Tensor& x, const MaxPool2dSpec& spec) {
  const int64_t h = x.extent(1), w = x.extent(2), channels = x.extent(3);
  const int64_t oh = (h + 2 * spec.pad - spec.kernel) / spec.stride + 1;
  const int64_t ow = (w + 2 * spec.pad - spec.kernel) / spec.stride + 1;
  const Values values = x.to_vector<double>();
  Values out;
  for (int64_t i = 0; i < x.extent(0) * oh * ow * channels; ++i) {
    const int64_t c = i % channels, column = i / channels % ow, row = i / channels / ow % oh;
    const int64_t n = i / channels / ow / oh;
    double best = -std::numeric_limits<double>::infinity();
    for (int64_t y = row * spec.stride - spec.pad; y < row * spec.stride - spec.pad + spec.kernel;
         ++y) {
      for (int64_t z = 0; z < spec.kernel; ++z) {
        const int64_t at = column * spec.stride - spec.pad + z;
        if (y < 0 || y >= h || at < 0 || at >= w) continue;
        best = std::max(best, values[static_cast<size_t>(((n * h + y) * w + at) * channels + c)]);
      }
    }
    out.push_back(spec.relu ? std::max(best, 0.0) : best);
  }
  return out;
}

// Values apart from each other and from the ReLU's kink.
Tensor apart(const Shape& shape) {
  const Tensor x = random_distinct(shape, 1);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<double>()[i] += 2.5e-3;
  return x;
}

// The gradient of the sum of the output.
Values sum_gradient(const Tensor& x, const MaxPool2dSpec& spec) {
  const Variable leaf(x, true);
  const Variable out = max_pool2d(leaf, spec);
  const Tensor ones = Tensor::full(out.shape(), 1, x.dtype());
  backward(record("sum", Tensor::zeros({}, x.dtype()), {out},
                  [&](const Tensor&) { return std::vector<Tensor>{ones}; }));
  return leaf.grad().to_vector<double>();
}

}  // namespace

TEST_CASE("max_pool2d") {
  for (const MaxPool2dSpec& spec :
       {MaxPool2dSpec{3, 2, 1}, MaxPool2dSpec{1, 2, 0}, MaxPool2dSpec{2, 2, 0},
        MaxPool2dSpec{3, 1, 1}, MaxPool2dSpec{2, 3, 1}, MaxPool2dSpec{5, 2, 2},
        MaxPool2dSpec{3, 2, 1, true}, MaxPool2dSpec{1, 2, 0, true}}) {
    for (const Shape& shape :
         {Shape{0, 5, 5, 2}, Shape{1, 5, 6, 1}, Shape{2, 7, 5, 3}, Shape{1, 3, 3, 31},
          Shape{1, 4, 3, 32}, Shape{1, 3, 4, 33}, Shape{1, 3, 3, 0}}) {
      if (std::min(shape[1], shape[2]) + 2 * spec.pad < spec.kernel) continue;
      op_test({.op = "max_pool2d",
               .name = shape.to_string() + ", kernel " + std::to_string(spec.kernel) + ", stride " +
                       std::to_string(spec.stride) + ", pad " + std::to_string(spec.pad) +
                       (spec.relu ? ", ReLU" : ""),
               .inputs = {apart(shape)},
               .run = [spec](const auto& in) { return max_pool2d(in[0], spec); },
               .naive = [spec](const auto& in) { return naive_pool(in[0], spec); }});
    }
  }
}

TEST_CASE("the first of equal values takes the gradient, padding never wins") {
  const Tensor equal = Tensor::full({1, 4, 4, 1}, -5);
  // Windows start at -1 and 1: taps (0, 0), (0, 1), (1, 0), (1, 1) are their first pixels.
  CHECK(max_pool2d(equal, {3, 2, 1}).value().to_vector<double>() == Values(4, -5.0));
  CHECK(sum_gradient(equal, {3, 2, 1}) == Values{1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const double inf = std::numeric_limits<double>::infinity();
  const Tensor lowest = Tensor::full({1, 2, 2, 1}, -inf);
  CHECK(max_pool2d(lowest, {3, 2, 1}).value().item() == -inf);
  CHECK(sum_gradient(lowest, {3, 2, 1}) == Values{1, 0, 0, 0});
}

TEST_CASE("NaN wins wherever it stands, the last one of several") {
  const float nan = std::nanf("");
  for (size_t at = 0; at < 4; ++at) {
    std::vector<float> values = {1, 2, 3, 4};
    values[at] = nan;
    const Tensor x = Tensor::of<float>({1, 2, 2, 1}, values);
    CHECK(std::isnan(max_pool2d(x, {2, 2, 0}).value().item()));
    Values expected(4, 0.0);
    expected[at] = 1;
    CHECK(sum_gradient(x, {2, 2, 0}) == expected);
  }
  const Tensor two = Tensor::of<float>({1, 2, 2, 1}, {nan, 5, nan, 5});
  CHECK(sum_gradient(two, {2, 2, 0}) == Values{0, 0, 1, 0});
}

TEST_CASE("the ReLU keeps NaN and passes no gradient at 0 or below") {
  const float nan = std::nanf("");
  const Tensor x = Tensor::of<float>({1, 1, 4, 1}, {-1, 0, nan, 2});
  const MaxPool2dSpec spec{1, 1, 0, true};
  const std::vector<float> out = max_pool2d(x, spec).value().to_vector<float>();
  CHECK(out[0] == 0);
  CHECK(out[1] == 0);
  CHECK(std::isnan(out[2]));
  CHECK(out[3] == 2);
  CHECK(sum_gradient(x, spec) == Values{0, 0, 0, 1});
}

TEST_CASE("max_pool2d has the same bits for any number of threads") {
  const Tensor x = random_tensor({2, 20, 20, 8}, 1).to(DType::f32);
  set_thread_count(1);
  const Values one = sum_gradient(x, {3, 1, 1});
  set_thread_count(3);
  CHECK(sum_gradient(x, {3, 1, 1}) == one);
  set_thread_count(0);
}

TEST_CASE("max_pool2d names what does not fit") {
  CHECK_THROWS_WITH(max_pool2d(Tensor::zeros({2, 2}), {}),
                    "max_pool2d: x must be [N, H, W, C], got [2, 2]");
  const Tensor x = Tensor::zeros({1, 1, 4, 1});
  CHECK_THROWS_WITH(max_pool2d(x, {3, 1, 0}),
                    "max_pool2d: the window of 3 is larger than the padded image [1, 1, 4, 1]");
  for (const MaxPool2dSpec& spec :
       {MaxPool2dSpec{0, 1, 0}, MaxPool2dSpec{16, 1, 0}, MaxPool2dSpec{1, 0, 0},
        MaxPool2dSpec{3, 1, 2}, MaxPool2dSpec{3, 1, -1}}) {
    CHECK_THROWS_AS(max_pool2d(x, spec), Error);
  }
}

}  // namespace soma::test
