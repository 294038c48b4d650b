#include "ops/gather.h"

#include <doctest/doctest.h>

#include "base/parallel.h"
#include "base/random.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

using Values = std::vector<double>;
using Ints = std::vector<int32_t>;

Ints random_ints(int64_t count, int low, int high, uint32_t seed) {
  Random random(seed, RandomUse::test);
  Ints result;
  for (int64_t i = 0; i < count; ++i) {
    result.push_back(low + static_cast<int32_t>(random.below(static_cast<uint32_t>(high - low))));
  }
  return result;
}

Tensor ints(const Ints& values) {
  return Tensor::of<int32_t>({static_cast<int64_t>(values.size())}, values);
}

// Rows of `columns` values by index; zeros for a negative one.
Values naive_rows(const Values& x, const Ints& index, size_t columns) {
  Values out;
  for (const int32_t row : index) {
    for (size_t c = 0; c < columns; ++c) {
      out.push_back(row < 0 ? 0 : x[static_cast<size_t>(row) * columns + c]);
    }
  }
  return out;
}

// x [rows, cells, classes, inner] -> [rows, cells, inner].
Values naive_pick(const Values& x, const Ints& label, size_t cells, int classes, size_t inner) {
  Values out;
  for (size_t row = 0; row < label.size(); ++row) {
    for (size_t cell = 0; cell < cells; ++cell) {
      for (size_t i = 0; i < inner; ++i) {
        const bool known = label[row] >= 0 && label[row] < classes;
        const size_t block = (row * cells + cell) * static_cast<size_t>(classes) +
                             static_cast<size_t>(known ? label[row] : 0);
        out.push_back(known ? x[block * inner + i] : 0);
      }
    }
  }
  return out;
}

}  // namespace

TEST_CASE("gather_rows") {
  for (const int64_t count : {0, 1, 31, 32, 33}) {
    for (const Shape& shape : {Shape{5}, Shape{1, 3}, Shape{7, 2, 3}}) {
      const Ints index = random_ints(count, -1, static_cast<int>(shape[0]), 2);
      op_test({.op = "gather_rows",
               .name = std::to_string(count) + " of " + shape.to_string(),
               .inputs = {random_tensor(shape, 1)},
               .run =
                   [index](const auto& in) {
                     return gather_rows(in[0], ints(index).to(in[0].device()));
                   },
               .naive =
                   [index](const auto& in) {
                     return naive_rows(in[0].template to_vector<double>(), index,
                                       static_cast<size_t>(in[0].numel() / in[0].extent(0)));
                   }});
    }
  }
  CHECK(gather_rows(Tensor::zeros({0, 4}), ints({-1, -1})).value().to_vector<float>() ==
        std::vector<float>(8, 0.0F));
  CHECK(gather_rows(Tensor::of<int32_t>({3}, {7, 8, 9}), ints({2, -1, 0}))
            .value()
            .to_vector<int32_t>() == Ints{9, 0, 7});
}

TEST_CASE("gather_rows adds repeated indices in index order, for any number of threads") {
  if (host_memory_emulated()) return;  // the device adds them in no order
  constexpr int64_t kRows = 50, kColumns = 1000, kCount = 400;
  const Ints index = random_ints(kCount, -1, kRows, 3);
  const Tensor weights = random_tensor({kCount, kColumns}, 4, -1e3, 1e3).to(DType::f32);
  const std::vector<float> w = weights.to_vector<float>();
  std::vector<float> expected(kRows * kColumns, 0.0F);
  for (size_t k = 0; k < kCount; ++k) {
    if (index[k] < 0) continue;
    for (size_t c = 0; c < kColumns; ++c) {
      expected[static_cast<size_t>(index[k]) * kColumns + c] += w[k * kColumns + c];
    }
  }
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    const Variable x(Tensor::zeros({kRows, kColumns}), true);
    const Variable rows = gather_rows(x, ints(index));
    backward(record("weighted", Tensor::zeros({}), {rows},
                    [&](const Tensor&) { return std::vector<Tensor>{weights}; }));
    CHECK(x.grad().to_vector<float>() == expected);
  }
  set_thread_count(0);
}

TEST_CASE("pick_class") {
  for (const int64_t rows : {0, 1, 31, 32, 33}) {
    for (const int64_t inner : {1, 4}) {
      const int64_t classes = 3, cells = rows > 1 ? 2 : 5;
      const Ints label = random_ints(rows, -1, classes + 1, 5);
      op_test({.op = "pick_class",
               .name = std::to_string(rows) + " rows, inner " + std::to_string(inner),
               .inputs = {random_tensor({rows, cells, 1, classes * inner}, 1)},
               .run =
                   [=](const auto& in) {
                     return pick_class(in[0], ints(label).to(in[0].device()), inner);
                   },
               .naive =
                   [=](const auto& in) {
                     return naive_pick(in[0].template to_vector<double>(), label,
                                       static_cast<size_t>(cells), classes,
                                       static_cast<size_t>(inner));
                   }});
    }
  }
  const Variable picked = pick_class(Tensor::zeros({2, 12}), ints({0, 1}), 4);
  CHECK(picked.shape() == Shape{2, 4});
}

TEST_CASE("compact keeps the rows below the limit, in order") {
  const Compacted some = compact(ints({2, -1, 0, 5, 1, 3}), 3);
  CHECK(some.index.to_vector<int32_t>() == Ints{0, 2, 4, -1, -1, -1});
  CHECK(some.count.to_vector<int32_t>() == Ints{3});
  const Compacted none = compact(ints({-1, 9}), 0);
  CHECK(none.index.to_vector<int32_t>() == Ints{-1, -1});
  CHECK(none.count.to_vector<int32_t>() == Ints{0});
  CHECK(compact(ints({}), 3).count.to_vector<int32_t>() == Ints{0});
}

TEST_CASE("trim stops at the count") {
  const Tensor x = Tensor::of<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  CHECK(trim(x, ints({2})).to_vector<float>() == std::vector<float>{1, 2, 3, 4});
  CHECK(trim(x, ints({0})).shape() == Shape{0, 2});
  CHECK(trim(x, ints({3})).shape() == Shape{3, 2});
}

TEST_CASE("gather names what does not fit") {
  const Tensor x = Tensor::zeros({3, 2});
  CHECK_THROWS_WITH(gather_rows(x, ints({0, 3})), "gather_rows: index 1 must be in [-1, 3), got 3");
  CHECK_THROWS_WITH(gather_rows(x, ints({-2})), "gather_rows: index 0 must be in [-1, 3), got -2");
  CHECK_THROWS_WITH(gather_rows(x, x), "gather_rows: index must be i32 [K], got [3, 2]");
  CHECK_THROWS_WITH(gather_rows(x, Tensor::zeros({2})),
                    "gather_rows: index must be i32[2] on cpu, got f32[2] on cpu");
  CHECK_THROWS_WITH(pick_class(x, ints({0, 1, 0}), 4),
                    "pick_class: needs [K, ..., C * 4], got [3, 2]");
  CHECK_THROWS_WITH(pick_class(x, ints({0, 1}), 1),
                    "pick_class: label must be i32[3] on cpu, got i32[2] on cpu");
  CHECK_THROWS_WITH(trim(x, ints({4})), "trim: count must be in [0, 3], got 4");
  CHECK_THROWS_WITH(trim(x, ints({-1})), "trim: count must be in [0, 3], got -1");
  CHECK_THROWS_WITH(compact(x, 1), "compact: label must be i32 [K], got [3, 2]");
}

}  // namespace soma::test
