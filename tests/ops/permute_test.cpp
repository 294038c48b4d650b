#include "ops/permute.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "tests/support/op_test.h"

namespace soma::test {
namespace {

// Walks the result in order and looks each element up by its coordinates.
template <class T>
std::vector<T> naive_permute(const Tensor& x, const std::vector<int>& order) {
  const std::vector<T> values = x.to_vector<T>();
  std::vector<T> out;
  for (int64_t i = 0; i < x.numel(); ++i) {
    std::array<int64_t, 5> at{};
    int64_t rest = i;
    for (size_t a = order.size(); a-- > 0;) {
      at[static_cast<size_t>(order[a])] = rest % x.extent(order[a]);
      rest /= x.extent(order[a]);
    }
    int64_t offset = 0;
    for (int a = 0; a < x.rank(); ++a) offset = offset * x.extent(a) + at[static_cast<size_t>(a)];
    out.push_back(values[static_cast<size_t>(offset)]);
  }
  return out;
}

std::vector<int> identity(int rank) {
  std::vector<int> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

}  // namespace

TEST_CASE("permute by every order of three axes") {
  for (const Shape& shape : {Shape{2, 3, 4}, Shape{1, 33, 2}, Shape{3, 0, 2}, Shape{5, 1, 1}}) {
    std::vector<int> order = identity(3);
    do {
      op_test({.op = "permute",
               .name = shape.to_string() + " by " + std::to_string(order[0]) +
                       std::to_string(order[1]) + std::to_string(order[2]),
               .inputs = {random_tensor(shape, 1)},
               .run = [order](const auto& in) { return permute(in[0], order); },
               .naive = [order](const auto& in) { return naive_permute<double>(in[0], order); }});
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

TEST_CASE("permute five axes, of every element size") {
  std::vector<int> order = identity(5);
  const Tensor x = random_tensor({2, 3, 1, 4, 5}, 1, 0, 100);
  do {
    for (const DType dtype : {DType::u8, DType::f16, DType::i32, DType::i64}) {
      const Variable y = permute(x.to(dtype), order);
      for (int a = 0; a < 5; ++a) {
        CHECK(y.extent(a) == x.extent(order[static_cast<size_t>(a)]));
      }
      CHECK(y.value().to_vector<float>() == naive_permute<float>(x.to(dtype), order));
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("permute across tiles and tasks") {
  for (const Shape& shape : {Shape{2, 31, 45, 64}, Shape{1, 100, 100, 33}, Shape{3, 200, 1, 100}}) {
    const Tensor x = random_tensor(shape, 1);
    for (const std::vector<int>& order :
         {std::vector<int>{0, 3, 1, 2}, {0, 2, 3, 1}, {3, 2, 1, 0}, {2, 0, 1, 3}}) {
      CHECK(permute(x, order).value().to_vector<double>() == naive_permute<double>(x, order));
    }
  }
}

TEST_CASE("permute a scalar and a vector") {
  CHECK(permute(Tensor::full({}, 3), {}).value().item() == 3);
  CHECK(permute(Tensor::of<float>({2}, {1, 2}), {0}).value().to_vector<float>() ==
        std::vector<float>{1, 2});
}

TEST_CASE("reshape") {
  for (const int64_t n : {0, 1, 31}) {
    op_test({.op = "reshape",
             .name = std::to_string(n),
             .inputs = {random_tensor({n, 2, 3}, 1)},
             .run =
                 [n](const auto& in) {
                   return reshape(in[0], {3, n * 2});
                 },
             .naive = [](const auto& in) { return in[0].template to_vector<double>(); }});
  }
  const Tensor x = Tensor::zeros({4});
  CHECK(reshape(x, {2, 2}).value().storage_id() == x.storage_id());
}

TEST_CASE("permute and reshape name what does not fit") {
  const Tensor x = Tensor::zeros({2, 3});
  for (const std::vector<int>& order : {std::vector<int>{0}, {0, 0}, {0, 2}, {-1, 0}, {0, 1, 2}}) {
    CHECK_THROWS_AS(permute(x, order), Error);
  }
  CHECK_THROWS_WITH(permute(x, {0, 0}),
                    "permute: order must name each axis of [2, 3] once, got (0, 0)");
  CHECK_THROWS_WITH(reshape(x, {5}), "reshape: cannot view [2, 3] as [5]");
}

}  // namespace soma::test
