#include "tensor/shape.h"

#include <doctest/doctest.h>

#include "base/check.h"

namespace soma {

TEST_CASE("a shape knows its extents and their products") {
  const Shape shape{2, 3, 4};
  CHECK(shape.rank() == 3);
  CHECK(shape[0] == 2);
  CHECK(shape.back() == 4);
  CHECK(shape.numel() == 24);
  CHECK(shape.product(1, 3) == 12);
  CHECK(shape.product(1, 1) == 1);
  CHECK(shape.with(1, 7) == Shape{2, 7, 4});
  CHECK(shape.without_first() == Shape{3, 4});
  CHECK(shape.to_string() == "[2, 3, 4]");
}

TEST_CASE("a scalar has one element, a zero extent none") {
  CHECK(Shape().rank() == 0);
  CHECK(Shape().numel() == 1);
  CHECK(Shape().to_string() == "[]");
  CHECK(Shape().without_first() == Shape());
  CHECK(Shape{3, 0, 2}.numel() == 0);
  CHECK(Shape{3, 0, 2}.product(2, 3) == 2);
}

TEST_CASE("shapes are equal when rank and extents are") {
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK(!(Shape{2, 3} == Shape{3, 2}));
  CHECK(!(Shape{2} == Shape{2, 0}));
  CHECK(!(Shape{2} == Shape{2, 1}));
}

TEST_CASE("extents that cannot be are errors") {
  CHECK_THROWS_WITH_AS((Shape{1, 2, 3, 4, 5, 6}), "shape: more than 5 extents", Error);
  CHECK_THROWS_WITH_AS((Shape{2, -1}), "shape: negative extent -1", Error);
  CHECK_THROWS_WITH_AS(Shape{2}.with(0, -3), "shape: negative extent -3", Error);
}

TEST_CASE("products that overflow are errors, also behind a zero") {
  constexpr int64_t kMost = int64_t{1} << 46;
  CHECK(Shape{kMost}.numel() == kMost);
  CHECK(Shape{1 << 23, 1 << 23}.numel() == kMost);
  CHECK_THROWS_AS((Shape{kMost + 1}), Error);
  CHECK_THROWS_AS((Shape{1 << 23, (1 << 23) + 1}), Error);
  CHECK_THROWS_AS((Shape{INT64_MAX, 2}), Error);
  CHECK_THROWS_AS((Shape{1, INT64_MAX}), Error);
  CHECK_THROWS_AS((Shape{0, kMost, 2}), Error);
  CHECK_THROWS_AS((Shape{kMost, 2, 0}), Error);
  CHECK_THROWS_WITH(Shape({int64_t{1} << 40, 128}),
                    "shape: too many elements: [1099511627776] x 128");
}

}  // namespace soma
