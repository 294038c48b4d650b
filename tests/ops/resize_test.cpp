#include "ops/resize.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/parallel.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

using Values = std::vector<double>;

struct Images {
  explicit Images(const Tensor& x) : shape(x.shape()), values(x.to_vector<double>()) {}
  double at(int64_t n, int64_t y, int64_t x, int64_t c) const {
    return values[static_cast<size_t>(((n * shape[1] + y) * shape[2] + x) * shape[3] + c)];
  }
  Shape shape;
  Values values;
};

double nearest_at(const Images& x, int64_t n, double y, double z, int64_t c) {
  return x.at(n, static_cast<int64_t>(y), static_cast<int64_t>(z), c);
}

// The tent of each pixel, over the coordinate clamped to the centres of the outer pixels.
double bilinear_at(const Images& x, int64_t n, double y, double z, int64_t c) {
  y = std::clamp(y, 0.0, static_cast<double>(x.shape[1] - 1));
  z = std::clamp(z, 0.0, static_cast<double>(x.shape[2] - 1));
  double total = 0;
  for (int64_t i = 0; i < x.shape[1]; ++i) {
    for (int64_t j = 0; j < x.shape[2]; ++j) {
      const double down = std::max(0.0, 1 - std::abs(static_cast<double>(i) - y));
      const double right = std::max(0.0, 1 - std::abs(static_cast<double>(j) - z));
      if (down * right > 0) total += down * right * x.at(n, i, j, c);
    }
  }
  return total;
}

Values naive_resize(const Tensor& tensor, int64_t height, int64_t width, Interpolation mode) {
  const Images x(tensor);
  Values out;
  for (int64_t i = 0; i < x.shape[0] * height * width * x.shape[3]; ++i) {
    const int64_t c = i % x.shape[3], column = i / x.shape[3] % width;
    const int64_t row = i / x.shape[3] / width % height, n = i / x.shape[3] / width / height;
    const double h = static_cast<double>(x.shape[1]), w = static_cast<double>(x.shape[2]);
    const double y = static_cast<double>(row), z = static_cast<double>(column);
    const double oh = static_cast<double>(height), ow = static_cast<double>(width);
    if (mode == Interpolation::nearest) {
      out.push_back(nearest_at(x, n, std::floor(y * h / oh), std::floor(z * w / ow), c));
    } else {
      out.push_back(bilinear_at(x, n, (y + 0.5) * h / oh - 0.5, (z + 0.5) * w / ow - 0.5, c));
    }
  }
  return out;
}

}  // namespace

TEST_CASE("resize") {
  for (const Interpolation mode : {Interpolation::nearest, Interpolation::bilinear}) {
    for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{2, 3, 4, 3}, Shape{1, 5, 2, 2},
                               Shape{1, 2, 2, 33}, Shape{0, 2, 2, 1}, Shape{1, 2, 2, 0}}) {
      for (const auto& [height, width] :
           {std::pair<int64_t, int64_t>{1, 1}, {6, 8}, {2, 3}, {5, 7}, {3, 4}}) {
        op_test({.op = "resize",
                 .name = std::string(mode == Interpolation::nearest ? "nearest " : "bilinear ") +
                         shape.to_string() + " to " + std::to_string(height) + "x" +
                         std::to_string(width),
                 .inputs = {random_tensor(shape, 1)},
                 .run = [h = height, w = width,
                         mode](const auto& in) { return resize(in[0], h, w, mode); },
                 .naive = [h = height, w = width,
                           mode](const auto& in) { return naive_resize(in[0], h, w, mode); }});
      }
    }
  }
}

TEST_CASE("resize_add") {
  for (const auto& [coarse, fine] : {std::pair<Shape, Shape>{Shape{2, 2, 3, 2}, Shape{2, 4, 6, 2}},
                                     {Shape{1, 2, 2, 3}, Shape{1, 3, 4, 3}},
                                     {Shape{1, 1, 1, 33}, Shape{1, 2, 1, 33}},
                                     {Shape{0, 1, 1, 2}, Shape{0, 2, 2, 2}}}) {
    op_test({.op = "resize_add",
             .name = coarse.to_string() + " onto " + fine.to_string(),
             .inputs = {random_tensor(coarse, 1), random_tensor(fine, 2)},
             .run = [](const auto& in) { return resize_add(in[0], in[1]); },
             .naive =
                 [](const auto& in) {
                   Values out = naive_resize(in[0], in[1].extent(1), in[1].extent(2),
                                             Interpolation::nearest);
                   const Values base = in[1].template to_vector<double>();
                   for (size_t i = 0; i < out.size(); ++i) out[i] += base[i];
                   return out;
                 }});
  }
}

TEST_CASE("resize at hand-computed points") {
  const Tensor ramp = Tensor::of<float>({1, 1, 5, 1}, {0, 10, 20, 30, 40});
  const auto resized = [&](int64_t width, Interpolation mode) {
    return resize(ramp, 1, width, mode).value().to_vector<double>();
  };
  // floor(i 5 / 3) = 0, 1, 3; floor(i 5 / 7) = 0, 0, 1, 2, 2, 3, 4.
  CHECK(resized(3, Interpolation::nearest) == Values{0, 10, 30});
  CHECK(resized(7, Interpolation::nearest) == Values{0, 0, 10, 20, 20, 30, 40});
  // Half-pixel centres at twice the size: -.25 (clamped), .25, .75, ..., 4.25 (clamped).
  CHECK(resized(10, Interpolation::bilinear) ==
        Values{0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 32.5, 37.5, 40});
  CHECK(resized(5, Interpolation::bilinear) == resized(5, Interpolation::nearest));
  CHECK(resized(1, Interpolation::bilinear) == Values{20});
}

TEST_CASE("gradients of resize have the same bits for any number of threads") {
  const Tensor weights = random_tensor({2, 33, 31, 4}, 3).to(DType::f32);
  for (const Interpolation mode : {Interpolation::nearest, Interpolation::bilinear}) {
    Values first;
    for (const int threads : {1, 3}) {
      set_thread_count(threads);
      const Variable x(Tensor::zeros({2, 14, 9, 4}), true);
      const Variable out = resize(x, 33, 31, mode);
      backward(record("weighted", Tensor::zeros({}), {out},
                      [&](const Tensor&) { return std::vector<Tensor>{weights}; }));
      if (threads == 1) first = x.grad().to_vector<double>();
      CHECK(x.grad().to_vector<double>() == first);
    }
  }
  set_thread_count(0);
}

TEST_CASE("resize names what does not fit") {
  const Tensor x = Tensor::zeros({1, 2, 2, 3});
  CHECK_THROWS_WITH(resize(Tensor::zeros({2, 2}), 1, 1, Interpolation::nearest),
                    "resize: x must be [N, H, W, C], got [2, 2]");
  CHECK_THROWS_WITH(resize(x, 0, 1, Interpolation::nearest),
                    "resize: the new size must be at least 1 x 1, got 0 x 1");
  CHECK_THROWS_WITH(resize(Tensor::zeros({1, 0, 2, 3}), 1, 1, Interpolation::nearest),
                    "resize: cannot resize an image without pixels, [1, 0, 2, 3]");
  CHECK_THROWS_WITH(resize_add(x, Tensor::zeros({1, 4, 4, 2})),
                    "resize_add: needs images and channels alike, got f32[1, 2, 2, 3] and "
                    "f32[1, 4, 4, 2]");
}

}  // namespace soma::test
