#include "weights/layout.h"

#include <doctest/doctest.h>

#include "base/check.h"

namespace soma {
namespace {

StoredElements stored(const Tensor& tensor, const Layout& layout) {
  return {static_cast<const std::byte*>(tensor.raw()), tensor.dtype(), layout};
}

std::vector<float> moved(const Tensor& tensor, const Layout& layout) {
  return to_tensor(stored(tensor, layout)).to_vector<float>();
}

}  // namespace

TEST_CASE("views of a 2 x 3 x 2 tensor: permuted, cut, reversed, split") {
  std::vector<float> values;
  for (int i = 0; i < 12; ++i) values.push_back(static_cast<float>(i));
  const Tensor tensor = Tensor::of({2, 3, 2}, values);
  const Layout dense = Layout::dense(tensor.shape());
  CHECK(moved(tensor, dense) == values);
  CHECK(moved(tensor, dense.permuted({2, 0, 1})) ==
        std::vector<float>{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11});
  CHECK(moved(tensor, dense.cut(1, 1, 3)) == std::vector<float>{2, 3, 4, 5, 8, 9, 10, 11});
  CHECK(moved(tensor, dense.reversed(2).cut(0, 0, 1)) == std::vector<float>{1, 0, 3, 2, 5, 4});
  const Layout flat = Layout::dense({2, 6});
  CHECK(moved(tensor, flat.split_last({3, 2}).permuted({0, 2, 1})) ==
        std::vector<float>{0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11});
  CHECK(moved(tensor, dense.cut(1, 2, 2)).empty());
  CHECK_THROWS_AS(dense.cut(1, 2, 4), Error);
  CHECK_THROWS_AS(flat.split_last({4, 2}), Error);
}

TEST_CASE("elements go to places of a wider tensor and are converted") {
  const Tensor from = Tensor::of<double>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor to = Tensor::full({2, 4}, 9);
  copy_elements(stored(from, Layout::dense({2, 3})), to, Layout::dense({2, 4}).cut(1, 0, 3), "x");
  CHECK(to.to_vector<float>() == std::vector<float>{1, 2, 3, 9, 4, 5, 6, 9});
  const Tensor halves = from.to(DType::f16);
  copy_elements(stored(halves, Layout::dense({2, 3}).permuted({1, 0})), to.reshape({4, 2}),
                Layout::dense({4, 2}).cut(0, 1, 4), "x");
  CHECK(to.to_vector<float>() == std::vector<float>{1, 2, 1, 4, 2, 5, 3, 6});
  const Tensor scalar = Tensor::full({}, 0);
  copy_elements(stored(Tensor::full({}, 7), Layout::dense({})), scalar, Layout::dense({}), "x");
  CHECK(scalar.item() == 7);
}

TEST_CASE("other shapes, and integers for floating-point numbers, are errors") {
  const Tensor tensor = Tensor::full({2, 3}, 1);
  const auto copy = [&](const Tensor& from) {
    copy_elements(stored(from, Layout::dense(from.shape())), tensor, Layout::dense({2, 3}), "w");
  };
  CHECK_THROWS_WITH(copy(Tensor::full({3, 2}, 1)), "w: has the shape [3, 2], expected [2, 3]");
  CHECK_THROWS_WITH(copy(Tensor::full({2, 3}, 1, DType::i64)), "w: holds i64, expected f32");
}

TEST_CASE("a view must lie inside its storage") {
  const auto inside = [](const Shape& shape, std::array<int64_t, 5> stride, int64_t offset,
                         int64_t count) {
    try {
      check_inside({shape, stride, offset}, count, "x");
    } catch (const Error&) {
      return false;
    }
    return true;
  };
  constexpr int64_t kHuge = int64_t{1} << 62;
  CHECK(inside({2, 3}, {3, 1}, 0, 6));
  CHECK(inside({2, 3}, {3, 1}, 2, 8));
  CHECK(inside({2, 3}, {1, 2}, 0, 6));
  CHECK(inside({0, 3}, {3, 1}, 100, 0));
  CHECK(inside({1, 3}, {kHuge, 1}, 0, 3));  // an axis of one never moves
  CHECK_FALSE(inside({2, 3}, {3, 1}, 1, 6));
  CHECK_FALSE(inside({2, 3}, {3, 1}, -1, 60));
  CHECK_FALSE(inside({2, 3}, {-3, 1}, 3, 60));
  CHECK_FALSE(inside({2, 3}, {4, 1}, 0, 6));
  CHECK_FALSE(inside({2, 3}, {0, 0}, 0, 5));  // more elements than there are
  CHECK_FALSE(inside({2, 3}, {kHuge, kHuge}, 0, 60));
  CHECK_FALSE(inside({3, 3}, {kHuge, 1}, kHuge, kHuge));
  CHECK_FALSE(inside({}, {}, 1, 1));
}

}  // namespace soma
