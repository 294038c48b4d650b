// Suppression of masks against a naive version over pixels.
#include "masks/nms.h"

#include <doctest/doctest.h>

#include <numeric>

#include "base/check.h"
#include "base/random.h"

namespace soma {
namespace {

constexpr int64_t kHeight = 40, kWidth = 50;

Rle rectangle(int64_t x, int64_t y, int64_t w, int64_t h) {
  return encode_window(std::vector<uint8_t>(static_cast<size_t>(w * h), 1), {x, y, w, h}, kHeight,
                       kWidth);
}

double naive_iou(const Rle& a, const Rle& b) {
  const std::vector<uint8_t> in_a = decode_mask(a), in_b = decode_mask(b);
  double both = 0, either = 0;
  for (size_t i = 0; i < in_a.size(); ++i) both += in_a[i] && in_b[i], either += in_a[i] || in_b[i];
  return either > 0 ? both / either : 0;
}

}  // namespace

TEST_CASE("masks fall as the naive version says") {
  Random random(4, RandomUse::test);
  for (int round = 0; round < 100; ++round) {
    std::vector<Rle> masks;
    std::vector<int32_t> group;
    for (uint32_t i = random.below(30); i > 0; --i) {
      masks.push_back(
          rectangle(random.below(35), random.below(25), random.below(16), random.below(15)));
      group.push_back(static_cast<int32_t>(random.below(2)));
    }
    std::vector<size_t> order(masks.size());
    std::iota(order.begin(), order.end(), size_t{0});
    for (size_t i = 1; i < order.size(); ++i)
      std::swap(order[i], order[random.below(static_cast<uint32_t>(i + 1))]);
    const double iou = round % 2 == 0 ? 0.3 : 0;
    std::vector<size_t> expected(masks.size()), kept;
    std::iota(expected.begin(), expected.end(), size_t{0});
    for (const size_t place : order) {
      double most = iou;
      for (const size_t other : kept) {
        const double here = naive_iou(masks[place], masks[other]);
        if (here > most && group[place] == group[other]) most = here, expected[place] = other;
      }
      if (expected[place] == place) kept.push_back(place);
    }
    CHECK(suppress_masks(masks, order, group, iou) == expected);
  }
}

TEST_CASE("equal masks fall to the first in order; without groups all are one") {
  const std::vector<Rle> masks(3, rectangle(3, 3, 5, 5));
  CHECK(suppress_masks(masks, std::vector<size_t>{2, 0, 1}, {}, 0.5) ==
        std::vector<size_t>{2, 2, 2});
  CHECK(suppress_masks(masks, std::vector<size_t>{2, 0}, {}, 0.5) == std::vector<size_t>{2, 1, 2});
  CHECK(suppress_masks(masks, std::vector<size_t>{0, 1, 2}, {}, 1) == std::vector<size_t>{0, 1, 2});
}

TEST_CASE("the IoU must be above the limit") {
  const std::vector<Rle> masks = {rectangle(0, 0, 3, 1), rectangle(1, 0, 3, 1)};  // IoU 2/4
  const std::vector<size_t> order = {0, 1};
  CHECK(suppress_masks(masks, order, {}, 0.5) == std::vector<size_t>{0, 1});
  CHECK(suppress_masks(masks, order, {}, 0.49) == std::vector<size_t>{0, 0});
}

TEST_CASE("nothing, and empty masks") {
  CHECK(suppress_masks({}, {}, {}, 0.5).empty());
  const std::vector<Rle> masks(2, rectangle(0, 0, 0, 0));
  CHECK(suppress_masks(masks, std::vector<size_t>{1, 0}, {}, 0) == std::vector<size_t>{0, 1});
  CHECK_THROWS_AS(suppress_masks(masks, {}, std::vector<int32_t>{1}, 0), Error);
}

}  // namespace soma
