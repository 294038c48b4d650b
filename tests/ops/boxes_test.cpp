// Box arithmetic against values worked out by hand (R-CNN, appendix C).
#include "ops/boxes.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Tensor rows(const std::vector<float>& values, int64_t columns = 4) {
  return Tensor::of<float>({static_cast<int64_t>(values.size()) / columns, columns}, values);
}

void check_values(const Tensor& actual, const std::vector<double>& expected) {
  const std::vector<double> values = actual.to_vector<double>();
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    CHECK(values[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  }
}

}  // namespace

TEST_CASE("box_iou of pairs worked out by hand") {
  const Tensor a = rows({0, 0, 10, 10});
  const Tensor b = rows({0,  0, 10, 10,   // itself
                         5,  0, 15, 10,   // half: 50 / 150
                         10, 0, 20, 10,   // touching
                         30, 0, 40, 10,   // apart
                         2,  2, 4,  7,    // inside: 10 / 100
                         -5, 5, 5,  15,   // a quarter: 25 / 175
                         8,  8, 2,  2});  // inverted
  check_values(box_iou(a, b), {1, 50.0 / 150, 0, 0, 0.1, 25.0 / 175, 0});
  CHECK(box_iou(b, a).to_vector<float>() == box_iou(a, b).to_vector<float>());
}

TEST_CASE("box_iou is a number whatever the corners are") {
  constexpr float kHuge = 3e38f;
  const Tensor odd = rows({3,      3,          3,         3,          // no area
                           kNan,   0,          10,        10,         // NaN
                           0,      0,          kInfinity, kInfinity,  // endless
                           -kHuge, -kHuge,     kHuge,     kHuge,      // area overflows
                           0,      -kInfinity, 0,         kInfinity});
  for (const float iou : box_iou(odd, odd).to_vector<float>()) CHECK(iou == 0);
}

TEST_CASE("encode_boxes by hand, and decode_boxes undoes it") {
  const BoxCoder coder = {.weights = {10, 10, 5, 5}};
  const Tensor reference = rows({0, 0, 10, 20, -4, 2, 4, 6});
  const Tensor target = rows({5, 5, 15, 45, -4, 2, 4, 6});
  const Tensor deltas = encode_boxes(reference, target, coder);
  // Centres (5, 10) to (10, 25): .5 of the width, .75 of the height; height doubled.
  check_values(deltas, {5, 7.5, 0, 5 * std::log(2.0), 0, 0, 0, 0});
  check_values(decode_boxes(reference, deltas, coder), {5, 5, 15, 45, -4, 2, 4, 6});
}

TEST_CASE("encode_boxes gives zeros where either box has no area") {
  const Tensor solid = rows({0, 0, 10, 10});
  for (const Tensor& flat :
       {rows({0, 0, 0, 10}), rows({0, 5, 10, 5}), rows({9, 0, 1, 10}), rows({kNan, 0, 10, 10})}) {
    check_values(encode_boxes(flat, solid, {}), {0, 0, 0, 0});
    check_values(encode_boxes(solid, flat, {}), {0, 0, 0, 0});
  }
}

TEST_CASE("decode_boxes: every class its own deltas, growth limited to 1000/16, shrinking free") {
  const Tensor reference = rows({0, 0, 16, 16});
  const Tensor deltas = rows({0, 0, 0, 0,        //
                              0.5, -0.25, 0, 0,  // moved by 8 and -4
                              0, 0, 100, -100},
                             12);
  check_values(decode_boxes(reference, deltas, {}), {0, 0, 16, 16,   //
                                                     8, -4, 24, 12,  //
                                                     8 - 500, 8, 8 + 500, 8});
  const std::vector<float> nan =
      decode_boxes(reference, rows({0, 0, kNan, 0}), {}).to_vector<float>();
  CHECK(std::isnan(nan[0]));
  CHECK(nan[1] == 0);
}

TEST_CASE("clip_boxes") {
  const Tensor boxes = rows({-3, -4, 50, 60, 5, 6, 7, 8, 200, 300, 400, kInfinity});
  check_values(clip_boxes(boxes, 30, 20), {0, 0, 20, 30, 5, 6, 7, 8, 20, 30, 20, 30});
  CHECK(clip_boxes(boxes.reshape({1, 3, 4}), 30, 20).shape() == Shape{1, 3, 4});
  CHECK(std::isnan(clip_boxes(rows({kNan, 0, 1, 1}), 30, 20).to_vector<float>()[0]));
}

TEST_CASE("boxes: nothing in, nothing out") {
  const Tensor none = Tensor::zeros({0, 4}), one = rows({0, 0, 1, 1});
  CHECK(box_iou(none, one).shape() == Shape{0, 1});
  CHECK(box_iou(one, none).shape() == Shape{1, 0});
  CHECK(encode_boxes(none, none, {}).shape() == Shape{0, 4});
  CHECK(decode_boxes(none, Tensor::zeros({0, 8}), {}).shape() == Shape{0, 8});
  CHECK(decode_boxes(one, Tensor::zeros({1, 0}), {}).shape() == Shape{1, 0});
  CHECK(clip_boxes(none, 5, 5).shape() == Shape{0, 4});
}

TEST_CASE("boxes: wrong shapes are an error that shows them") {
  CHECK_THROWS_WITH(box_iou(Tensor::zeros({2, 5}), Tensor::zeros({2, 4})),
                    "box_iou: a must be f32[K, 4], got f32[2, 5]");
  CHECK_THROWS_AS(encode_boxes(Tensor::zeros({2, 4}), Tensor::zeros({3, 4}), {}), Error);
  CHECK_THROWS_AS(decode_boxes(Tensor::zeros({2, 4}), Tensor::zeros({2, 6}), {}), Error);
  CHECK_THROWS_AS(decode_boxes(Tensor::zeros({2, 4}), Tensor::zeros({3, 4}), {}), Error);
  CHECK_THROWS_AS(clip_boxes(Tensor::zeros({4, 3}), 1, 1), Error);
}

TEST_CASE("boxes: the same bits for any number of threads") {
  const Tensor a = random_tensor({1500, 4}, 1, 0, 50).to(DType::f32);
  const Tensor b = random_tensor({700, 4}, 2, 0, 50).to(DType::f32);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 4}) {
    set_thread_count(threads);
    results.push_back(box_iou(a, b).to_vector<float>());
  }
  set_thread_count(0);
  CHECK(results[0] == results[1]);
}

}  // namespace soma::test
