// Joined detections: masks follow their boxes by place, means are taken before the threshold.
#include "ensemble/join.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/random.h"

namespace soma {
namespace {

constexpr int64_t kSize = 4;  // S
const std::vector<double> kTwo = {1, 1};

struct Row {
  std::array<float, 4> box;
  float score;
  int32_t label;
  std::vector<float> mask;  // one value, or S x S
};

SoftDetections detections(const std::vector<Row>& rows) {
  std::vector<float> boxes, scores, masks;
  std::vector<int32_t> labels;
  for (const Row& row : rows) {
    boxes.insert(boxes.end(), row.box.begin(), row.box.end());
    scores.push_back(row.score);
    labels.push_back(row.label);
    const std::vector<float> mask =
        row.mask.size() == 1 ? std::vector<float>(kSize * kSize, row.mask[0]) : row.mask;
    masks.insert(masks.end(), mask.begin(), mask.end());
  }
  const auto n = std::ssize(rows);
  return {Tensor::of({n, 4}, boxes), Tensor::of({n}, scores), Tensor::of({n}, labels),
          Tensor::of({n, kSize, kSize}, masks)};
}

SoftDetections join(const std::vector<SoftDetections>& parts, const EnsembleConfig& rules,
                    const std::vector<double>& weights = kTwo) {
  return join_detections(parts, weights, rules, TestConfig(), 100, 100);
}

std::vector<float> mask_of(const SoftDetections& found, int64_t row) {
  return found.probabilities.slice(row, row + 1).to_vector<float>();
}

}  // namespace

TEST_CASE("equal scores and boxes: each detection keeps its own mask") {
  const SoftDetections a =
      detections({{{0, 0, 8, 8}, 0.5f, 0, {0.1f}}, {{20, 0, 28, 8}, 0.5f, 0, {0.2f}}});
  const SoftDetections b =
      detections({{{40, 0, 48, 8}, 0.5f, 1, {0.3f}}, {{0, 0, 8, 8}, 0.5f, 0, {0.4f}}});
  for (const Fusion fusion : {Fusion::nms, Fusion::nmw, Fusion::wbf}) {
    EnsembleConfig rules;
    rules.fusion = fusion;
    const SoftDetections found = join({a, b}, rules);
    REQUIRE(found.scores.extent(0) == 3);
    const std::vector<float> boxes = found.boxes.to_vector<float>();
    for (int64_t i = 0; i < 3; ++i) {
      const float left = boxes[static_cast<size_t>(4 * i)];
      const float expected = left == 0 ? 0.1f : left == 20 ? 0.2f : 0.3f;
      CHECK(mask_of(found, i) == std::vector<float>(kSize * kSize, expected));
    }
  }
}

TEST_CASE("the mean of masks weighs by score and by model, before the threshold") {
  const SoftDetections a = detections({{{0, 0, 8, 8}, 0.8f, 0, {0.9f}}});
  const SoftDetections b = detections({{{0, 0, 8, 8}, 0.2f, 0, {0.4f}}});
  EnsembleConfig rules;
  rules.masks = MaskFusion::mean;
  CHECK(mask_of(join({a, b}, rules), 0)[5] == doctest::Approx(0.8 * 0.9 + 0.2 * 0.4));
  const double heavy = 0.8 + 4 * 0.2;
  CHECK(mask_of(join({a, b}, rules, {1, 4}), 0)[5] ==
        doctest::Approx((0.8 * 0.9 + 4 * 0.2 * 0.4) / heavy));
}

TEST_CASE("a mask read on another box is the same function of the image") {
  // p = .02 x + .03 y + .1 is linear, so bilinear reading between cell centres is exact.
  const std::array<float, 4> from = {2, 3, 34, 19}, to = {8, 6, 20, 14};
  std::vector<float> mask, read(kSize * kSize, 0.0f);
  const auto value = [](double x, double y) { return 0.02 * x + 0.03 * y + 0.1; };
  for (int64_t y = 0; y < kSize; ++y)
    for (int64_t x = 0; x < kSize; ++x)
      mask.push_back(static_cast<float>(
          value(2 + 8 * (static_cast<double>(x) + 0.5), 3 + 4 * (static_cast<double>(y) + 0.5))));
  add_mask_on_box(mask.data(), kSize, from, to, 0.5f, read.data());
  for (int64_t y = 0; y < kSize; ++y)
    for (int64_t x = 0; x < kSize; ++x)
      CHECK(read[static_cast<size_t>(y * kSize + x)] ==
            doctest::Approx(0.5 * value(8 + 3 * (static_cast<double>(x) + 0.5),
                                        6 + 2 * (static_cast<double>(y) + 0.5)))
                .epsilon(1e-5));
  std::vector<float> far(kSize * kSize, 0.0f);
  add_mask_on_box(mask.data(), kSize, from, {200, 3, 232, 19}, 1, far.data());
  CHECK(far == std::vector<float>(kSize * kSize, 0.0f));
}

TEST_CASE("overlap of masks tells apart what boxes cannot") {
  // Two triangles share a box and no pixel: one falls under box NMS, none under mask NMS.
  std::vector<float> upper(kSize * kSize), lower(kSize * kSize);
  for (int64_t i = 0; i < kSize * kSize; ++i) {
    upper[static_cast<size_t>(i)] = i % kSize > i / kSize ? 1.0f : 0.0f;
    lower[static_cast<size_t>(i)] = i % kSize < i / kSize ? 1.0f : 0.0f;
  }
  const SoftDetections a = detections({{{10, 10, 50, 50}, 0.9f, 0, upper}});
  const SoftDetections b =
      detections({{{10, 10, 50, 50}, 0.8f, 0, lower}, {{12, 10, 52, 50}, 0.7f, 0, upper}});
  EnsembleConfig rules;
  CHECK(join({a, b}, rules).scores.extent(0) == 1);
  rules.fusion = Fusion::mask_nms;
  const SoftDetections found = join({a, b}, rules);
  REQUIRE(found.scores.extent(0) == 2);
  CHECK(mask_of(found, 0) == upper);
  CHECK(mask_of(found, 1) == lower);
  rules.per_class = true;
  rules.masks = MaskFusion::mean;
  CHECK(mask_of(join({a, b}, rules), 1) == lower);
  CHECK(mask_of(join({a, b}, rules), 0) != upper);
}

TEST_CASE("the best detections come first and no more than the limit") {
  std::vector<Row> many;
  Random random(5, RandomUse::test);
  for (int i = 0; i < 80; ++i) {
    const float at = 20 * static_cast<float>(i);
    many.push_back({{at, 0, at + 8, 8}, static_cast<float>(random.uniform(0.1, 1)), 0, {0.7f}});
  }
  TestConfig test;
  test.max_detections = 100;
  const std::vector<SoftDetections> parts = {detections(many), detections(many), detections({})};
  EnsembleConfig rules;
  rules.iou = 1;  // nothing is joined
  const SoftDetections found =
      join_detections(parts, std::vector<double>{1, 1, 1}, rules, test, 100, 2000);
  const std::vector<float> scores = found.scores.to_vector<float>();
  REQUIRE(scores.size() == 100);
  CHECK(std::is_sorted(scores.rbegin(), scores.rend()));
}

TEST_CASE("models that find nothing; a single part as it is; wrong weights") {
  const SoftDetections none = detections({}), one = detections({{{0, 0, 8, 8}, 0.5f, 0, {0.5f}}});
  for (const Fusion fusion :
       {Fusion::nms, Fusion::soft_nms, Fusion::nmw, Fusion::wbf, Fusion::mask_nms}) {
    EnsembleConfig rules;
    rules.fusion = fusion;
    CHECK(join({none, none}, rules).scores.extent(0) == 0);
    const SoftDetections found = join({none, one}, rules);
    REQUIRE(found.scores.extent(0) == 1);
    CHECK(mask_of(found, 0) == mask_of(one, 0));
    CHECK(found.scores.item() == doctest::Approx(fusion == Fusion::wbf ? 0.25 : 0.5));
    const SoftDetections same = join({one}, rules, {1});
    CHECK(same.boxes.storage_id() == one.boxes.storage_id());
    CHECK_THROWS_AS(join({one, one}, rules, {1}), Error);
  }
}

}  // namespace soma
