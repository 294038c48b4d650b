#include "ops/windows.h"

#include <doctest/doctest.h>

#include "base/parallel.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

using Values = std::vector<double>;
using Ints = std::vector<int32_t>;

Tensor ints(const Ints& values) {
  return Tensor::of<int32_t>({static_cast<int64_t>(values.size())}, values);
}

int64_t pixels_of(const Tensor& map) { return map.extent(1) * map.extent(2); }

// Value c of map `m` at row y, column x of image n; 0 off the map.
double value_at(const Tensor& map, int64_t n, int64_t y, int64_t x, int64_t c) {
  if (y < 0 || y >= map.extent(1) || x < 0 || x >= map.extent(2)) return 0;
  const int64_t row = (n * map.extent(1) + y) * map.extent(2) + x;
  return map.data<double>()[row * map.extent(3) + c];
}

Values naive_windows(const std::vector<Tensor>& maps, const Ints& pixel, int kernel) {
  int64_t all = 0;
  for (const Tensor& map : maps) all += pixels_of(map);
  Values out;
  for (const int32_t p : pixel) {
    int64_t rest = p < 0 ? 0 : p % all;
    size_t level = 0;
    while (p >= 0 && rest >= pixels_of(maps[level])) rest -= pixels_of(maps[level++]);
    const Tensor& map = maps[level];
    for (int64_t tap = 0; tap < int64_t{kernel} * kernel; ++tap) {
      for (int64_t c = 0; c < map.extent(3); ++c) {
        const int64_t width = std::max<int64_t>(1, map.extent(2));
        const int64_t y = rest / width + tap / kernel - kernel / 2;
        const int64_t x = rest % width + tap % kernel - kernel / 2;
        out.push_back(p < 0 ? 0 : value_at(map, p / all, y, x, c));
      }
    }
  }
  return out;
}

// Gradients of the sum of windows times fixed numbers.
std::vector<float> gradient_bits(int threads) {
  set_thread_count(threads);
  const Variable fine(random_tensor({2, 6, 7, 70}, 1).to(DType::f32), true);
  const Variable coarse(random_tensor({2, 3, 4, 70}, 2).to(DType::f32), true);
  const Variable out = gather_windows({fine, coarse}, ints({0, 1, 1, 8, 44, -1, 107, 53, 8}), 3);
  const Tensor weights = random_tensor(out.shape(), 9).to(DType::f32);
  backward(record("sum", Tensor::zeros({}), {out},
                  [&](const Tensor&) { return std::vector<Tensor>{weights}; }));
  std::vector<float> bits = fine.grad().to_vector<float>();
  const std::vector<float> more = coarse.grad().to_vector<float>();
  bits.insert(bits.end(), more.begin(), more.end());
  set_thread_count(0);
  return bits;
}

}  // namespace

TEST_CASE("gather_windows") {
  for (const int64_t channels : {0, 1, 31, 32, 33}) {
    for (const int kernel : {1, 3, 5}) {
      // Image 0 has pixels 0 to 11 and 12, 13 and 14, image 1 the next 15: corners, edges, middles,
      // twice the same, and padding.
      for (const Ints& pixel : {Ints{}, Ints{-1}, Ints{0, 3, 5, 5, -1, 11, 12, 14, 15, 22, 29}}) {
        op_test({.op = "gather_windows",
                 .name = std::to_string(pixel.size()) + " of " + std::to_string(channels) +
                         " channels, kernel " + std::to_string(kernel),
                 .inputs = {random_tensor({2, 3, 4, channels}, 1),
                            random_tensor({2, 1, 3, channels}, 2)},
                 .run =
                     [pixel, kernel](const auto& in) {
                       return gather_windows(in, ints(pixel).to(in[0].device()), kernel);
                     },
                 .naive = [pixel,
                           kernel](const auto& in) { return naive_windows(in, pixel, kernel); }});
      }
    }
  }
  CHECK(
      gather_windows({Tensor::zeros({0, 4, 4, 2})}, ints({-1, -1}), 3).value().to_vector<float>() ==
      std::vector<float>(36, 0.0F));
}

TEST_CASE("gather_windows: a map that needs no gradient gets none") {
  const Variable fixed(Tensor::full({1, 2, 2, 1}, 1)), free(Tensor::full({1, 2, 2, 1}, 1), true);
  const Variable out = gather_windows({fixed, free}, ints({0, 4, 7}), 3);
  backward(record("sum", Tensor::zeros({}), {out}, [&](const Tensor&) {
    return std::vector<Tensor>{Tensor::full(out.shape(), 1)};
  }));
  CHECK_FALSE(fixed.grad().defined());
  CHECK(free.grad().to_vector<float>() == std::vector<float>(4, 2.0F));
}

TEST_CASE("gather_windows: the same bits for any number of threads") {
  const std::vector<float> one = gradient_bits(1);
  CHECK(one == gradient_bits(2));
  CHECK(one == gradient_bits(5));
}

TEST_CASE("gather_windows names what does not fit") {
  const Variable map(Tensor::zeros({1, 2, 3, 1}));
  CHECK_THROWS_WITH(gather_windows({map}, ints({0, 6}), 3),
                    "gather_windows: pixel 1 must be in [-1, 6), got 6");
  CHECK_THROWS_WITH(gather_windows({map}, ints({-2}), 3),
                    "gather_windows: pixel 0 must be in [-1, 6), got -2");
  CHECK_THROWS_WITH(gather_windows({map}, ints({0}), 2),
                    "gather_windows: kernel must be odd, got 2");
  CHECK_THROWS_WITH(gather_windows({}, ints({0}), 3),
                    "gather_windows: needs 1 to 8 feature maps, got 0");
  CHECK_THROWS_AS(gather_windows({map, Variable(Tensor::zeros({1, 2, 3, 2}))}, ints({0}), 3),
                  Error);
}

}  // namespace soma::test
