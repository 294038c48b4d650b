#include "ops/concat.h"

#include <doctest/doctest.h>

#include "tests/support/op_test.h"

namespace soma::test {
namespace {

using Values = std::vector<double>;

// Element by element: the whole's coordinate along `axis` picks the part.
Values naive_concat(const std::vector<Tensor>& parts, int axis) {
  int64_t outer = 1, inner = 1, whole = 0;
  for (int a = 0; a < axis; ++a) outer *= parts[0].extent(a);
  for (int a = axis + 1; a < parts[0].rank(); ++a) inner *= parts[0].extent(a);
  for (const Tensor& part : parts) whole += part.extent(axis);
  Values out;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t at = 0; at < whole; ++at) {
      int64_t within = at;
      size_t p = 0;
      while (within >= parts[p].extent(axis)) within -= parts[p++].extent(axis);
      const Values values = parts[p].to_vector<double>();
      for (int64_t i = 0; i < inner; ++i) {
        out.push_back(
            values[static_cast<size_t>((o * parts[p].extent(axis) + within) * inner + i)]);
      }
    }
  }
  return out;
}

}  // namespace

TEST_CASE("concat along every axis, with empty parts") {
  for (int axis = 0; axis < 3; ++axis) {
    for (const int64_t extent : {0, 1, 5}) {
      const Shape shape{2, 3, 2};
      op_test({.op = "concat",
               .name = "axis " + std::to_string(axis) + ", extent " + std::to_string(extent),
               .inputs = {random_tensor(shape, 1), random_tensor(shape.with(axis, extent), 2),
                          random_tensor(shape.with(axis, 0), 3), random_tensor(shape, 4)},
               .differentiable = {true, true, true, extent != 1},
               .run = [axis](const auto& in) { return concat(in, axis); },
               .naive = [axis](const auto& in) { return naive_concat(in, axis); }});
    }
  }
  op_test({.op = "concat",
           .name = "one part",
           .inputs = {random_tensor({33}, 1)},
           .run = [](const auto& in) { return concat(in, 0); },
           .naive = [](const auto& in) { return in[0].template to_vector<double>(); }});
  op_test({.op = "concat",
           .name = "no rows",
           .inputs = {random_tensor({0, 2}, 1), random_tensor({0, 1}, 1)},
           .run = [](const auto& in) { return concat(in, 1); },
           .naive = [](const auto&) { return Values{}; }});
}

TEST_CASE("concat of parts larger than a task, and of integers") {
  for (const Shape& shape : {Shape{100000}, Shape{1, 100000}, Shape{50000, 2}}) {
    const Tensor a = random_tensor(shape, 1), b = random_tensor(shape, 2);
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const Values whole = concat({a, b}, axis).value().to_vector<double>();
      const int64_t row = shape.product(axis, shape.rank());
      const Values from[2] = {a.to_vector<double>(), b.to_vector<double>()};
      bool same = true;
      for (int64_t i = 0; i < 2 * shape.numel(); ++i) {
        const int64_t in_part = i / (2 * row) * row + i % row;
        same = same &&
               whole[static_cast<size_t>(i)] == from[i / row % 2][static_cast<size_t>(in_part)];
      }
      CHECK(same);
    }
  }
  const Variable joined =
      concat({Tensor::of<int32_t>({2}, {1, 2}), Tensor::of<int32_t>({1}, {3})}, 0);
  CHECK(joined.value().to_vector<int32_t>() == std::vector<int32_t>{1, 2, 3});
}

TEST_CASE("concat names what does not fit") {
  const Tensor x = Tensor::zeros({2, 3});
  CHECK_THROWS_WITH(concat({}, 0), "concat: needs at least one tensor");
  CHECK_THROWS_WITH(concat({x}, 2), "concat: axis must be in [0, 2), got 2");
  CHECK_THROWS_WITH(concat({x, Tensor::zeros({3, 2})}, 0),
                    "concat: parts must be alike but for axis 0, got f32[2, 3] and f32[3, 2]");
  CHECK_THROWS_WITH(concat({x, Tensor::zeros({2, 3}, DType::f64)}, 0),
                    "concat: parts must be alike but for axis 0, got f32[2, 3] and f64[2, 3]");
  CHECK_THROWS_WITH(concat({x, Tensor::zeros({2})}, 0),
                    "concat: parts must be alike but for axis 0, got f32[2, 3] and f32[2]");
}

}  // namespace soma::test
