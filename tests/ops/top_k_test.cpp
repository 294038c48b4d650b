#include "ops/top_k.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/support/op_test.h"

namespace soma::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<int32_t> naive_order(const std::vector<float>& x) {
  std::vector<int32_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t i, int32_t j) {
    const float a = x[static_cast<size_t>(i)], b = x[static_cast<size_t>(j)];
    return std::isnan(b) ? !std::isnan(a) : a > b;
  });
  return order;
}

}  // namespace

TEST_CASE("top_k: score down, index up, NaN last") {
  const Tensor x = Tensor::of<float>({1, 8}, {1, kNan, 3, -0.0f, 3, 0.0f, -kInfinity, kInfinity});
  const TopK all = top_k(x, 8);
  CHECK(all.index.to_vector<int32_t>() == std::vector<int32_t>{7, 2, 4, 0, 3, 5, 6, 1});
  const TopK some = top_k(x, 2);
  CHECK(some.index.to_vector<int32_t>() == std::vector<int32_t>{7, 2});
  CHECK(some.value.to_vector<float>() == std::vector<float>{kInfinity, 3});
}

TEST_CASE("top_k equals the head of a stable full sort, ties and all") {
  for (const int64_t columns : {1, 31, 32, 33, 1000}) {
    const Tensor x = random_tensor({3, columns}, 5, -20, 20).to(DType::i32).to(DType::f32);
    for (const int64_t k : {int64_t{1}, columns / 3 + 1, columns}) {
      const TopK found = top_k(x, k);
      for (int64_t n = 0; n < 3; ++n) {
        const std::vector<float> row = x.slice(n, n + 1).to_vector<float>();
        std::vector<int32_t> expected = naive_order(row);
        expected.resize(static_cast<size_t>(k));
        CHECK(found.index.slice(n, n + 1).to_vector<int32_t>() == expected);
        const std::vector<float> values = found.value.slice(n, n + 1).to_vector<float>();
        for (size_t i = 0; i < expected.size(); ++i) {
          CHECK(values[i] == row[static_cast<size_t>(expected[i])]);
        }
      }
    }
  }
}

TEST_CASE("top_k cuts k to the row, and takes empty rows") {
  CHECK(top_k(Tensor::zeros({2, 3}), 10).index.to_vector<int32_t>() ==
        std::vector<int32_t>{0, 1, 2, 0, 1, 2});
  CHECK(top_k(Tensor::zeros({2, 0}), 10).value.shape() == Shape{2, 0});
  CHECK(top_k(Tensor::zeros({0, 5}), 2).value.shape() == Shape{0, 2});
  CHECK(top_k(Tensor::zeros({2, 5}), 0).value.shape() == Shape{2, 0});
  CHECK_THROWS_WITH(top_k(Tensor::zeros({5}), 2), "top_k: x must be f32[N, M], got f32[5]");
}

}  // namespace soma::test
