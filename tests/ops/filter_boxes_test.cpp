#include "ops/filter_boxes.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/check.h"

namespace soma::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("boxes are clipped to their own image and bad ones lose their score") {
  const Tensor boxes = Tensor::of<float>({2, 3, 4}, {-5,   -5, 30, 10,  // clipped to 20 x 10
                                                     5,    5,  5,  8,   // no width
                                                     kNaN, 0,  5,  5,   // not finite
                                                     -5,   -5, 30, 10,  // clipped to 8 x 6
                                                     9,    1,  12, 3,   // right of the image
                                                     1,    1,  2,  2});
  const Tensor scores = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, kInfinity});
  filter_boxes(boxes, scores, Tensor::of<int32_t>({2, 2}, {10, 20, 6, 8}), {0, true});
  const std::vector<float> box = boxes.to_vector<float>();
  CHECK(std::vector<float>(box.begin(), box.begin() + 4) == std::vector<float>{0, 0, 20, 10});
  CHECK(std::vector<float>(box.begin() + 12, box.begin() + 16) == std::vector<float>{0, 0, 8, 6});
  CHECK(scores.to_vector<float>() ==
        std::vector<float>{1, -kInfinity, -kInfinity, 4, -kInfinity, -kInfinity});
}

TEST_CASE("the side limit is strict or not, as asked") {
  for (const bool strict : {true, false}) {
    const Tensor boxes = Tensor::of<float>({1, 2, 4}, {0, 0, 2, 9, 0, 0, 3, 9});
    const Tensor scores = Tensor::of<float>({1, 2}, {1, 1});
    filter_boxes(boxes, scores, Tensor::of<int32_t>({1, 2}, {10, 10}), {2, strict});
    CHECK(scores.to_vector<float>() == std::vector<float>{strict ? -kInfinity : 1, 1});
  }
}

TEST_CASE("boxes that stand together lose their scores together, of what is not finite only") {
  const Tensor boxes = Tensor::of<float>({1, 6, 4}, {1, 1, 4, 4,    1, 1, 5, kInfinity,  // together
                                                     1, 1, 4, 4,    2, 2, 2, 4,          // no width
                                                     1, 1, 4, kNaN, 2, 2, 6, 6});
  const std::vector<float> given = {1, 2, 3, 4, 5, 6};
  const Tensor size = Tensor::of<int32_t>({1, 2}, {10, 10});
  const auto after = [&](int64_t together) {
    const Tensor copy = boxes.clone(), scores = Tensor::of({1, 6}, given);
    filter_boxes(copy, scores, size, {0, true, together});
    return scores.to_vector<float>();
  };
  CHECK(after(1) == std::vector<float>{1, -kInfinity, 3, -kInfinity, -kInfinity, 6});
  CHECK(after(2) ==
        std::vector<float>{-kInfinity, -kInfinity, 3, -kInfinity, -kInfinity, -kInfinity});
  CHECK(after(6) == std::vector<float>(6, -kInfinity));
  for (const int64_t odd : {0, 4, -1}) CHECK_THROWS_AS(after(odd), Error);
}

TEST_CASE("no boxes, no images") {
  filter_boxes(Tensor::empty({1, 0, 4}), Tensor::empty({1, 0}), Tensor::zeros({1, 2}, DType::i32),
               {});
  filter_boxes(Tensor::empty({0, 5, 4}), Tensor::empty({0, 5}), Tensor::zeros({0, 2}, DType::i32),
               {});
}

TEST_CASE("class scores: above the threshold, of proposals that are there, background left out") {
  const Tensor probabilities =
      Tensor::of<float>({4, 3}, {.6f, .1f, .3f, .5f, .3f, .2f, .9f, .05f, .05f, .4f, .4f, .2f});
  const Tensor scores = class_scores(probabilities, Tensor::of<int32_t>({2}, {2, 1}), .3);
  CHECK(scores.shape() == Shape{2, 4});
  CHECK(scores.to_vector<float>() == std::vector<float>{.6f, -kInfinity, .5f, -kInfinity, .9f,
                                                        -kInfinity, -kInfinity, -kInfinity});
  CHECK(class_groups(1, 3, 2, Device::cpu).to_vector<int32_t>() ==
        std::vector<int32_t>{0, 1, 0, 1, 0, 1});
}

}  // namespace soma::test
