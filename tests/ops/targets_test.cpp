#include "ops/targets.h"

#include <doctest/doctest.h>

#include <cmath>

namespace soma::test {
namespace {

GroundTruth two_images() {
  GroundTruth truth;
  truth.boxes = Tensor::of<float>({3, 4}, {0, 0, 4, 4, 10, 10, 20, 20, 1, 1, 3, 3});
  truth.label = Tensor::of<int32_t>({3}, {0, 1, 1});
  truth.begin = Tensor::of<int32_t>({3}, {0, 2, 3});
  truth.image_size = Tensor::of<int32_t>({2, 2}, {32, 32, 32, 32});
  return truth;
}

}  // namespace

TEST_CASE("flatten_index, split_index, take and count_at_least keep padding apart") {
  const Tensor flat = flatten_index(Tensor::of<int32_t>({2, 3}, {0, 4, -1, 2, -1, -1}), 5);
  CHECK(flat.to_vector<int32_t>() == std::vector<int32_t>{0, 4, -1, 7, -1, -1});
  const SplitIndex split = split_index(Tensor::of<int32_t>({4}, {7, -1, 2, 0}), 3);
  CHECK(split.quotient.to_vector<int32_t>() == std::vector<int32_t>{2, -1, 0, 0});
  CHECK(split.remainder.to_vector<int32_t>() == std::vector<int32_t>{1, -1, 2, 0});
  const Tensor taken =
      take(Tensor::of<int32_t>({3}, {7, 8, 9}), Tensor::of<int32_t>({4}, {2, -1, 0, 0}));
  CHECK(taken.to_vector<int32_t>() == std::vector<int32_t>{9, -1, 7, 7});
  const Tensor label = Tensor::of<int32_t>({5}, {-1, 0, 1, 1, 3});
  CHECK(count_at_least(label, 0, DType::f32).item() == 4);
  CHECK(count_at_least(label, 9, DType::f64).item() == 1);
  CHECK(flatten_index(Tensor::empty({0, 3}, DType::i32), 5).numel() == 0);
}

TEST_CASE("candidates: proposals that are there, then the image's own ground truth") {
  const Tensor boxes = Tensor::full({2, 2, 4}, 5);
  const RoiCandidates got = roi_candidates(boxes, Tensor::of<int32_t>({2}, {1, 2}), two_images());
  CHECK(got.boxes.shape() == Shape{2, 4, 4});
  CHECK(got.valid.to_vector<int32_t>() == std::vector<int32_t>{1, 0, 1, 1, 1, 1, 1, 0});
  const std::vector<float> values = got.boxes.to_vector<float>();
  CHECK(values[8] == 0);    // image 0, candidate 2: its first instance
  CHECK(values[12] == 10);  // candidate 3: its second
  CHECK(values[24] == 1);   // image 1, candidate 2: its only one
}

TEST_CASE("samples become RoIs with class, box and row of the ground truth") {
  const GroundTruth truth = two_images();
  const RoiCandidates candidates =
      roi_candidates(Tensor::full({2, 1, 4}, 5), Tensor::of<int32_t>({2}, {1, 1}), truth);
  const Matches matches{Tensor(), Tensor::of<int32_t>({2, 3}, {0, 0, 1, 2, 2, 0})};
  const Samples samples{Tensor::of<int32_t>({2, 2}, {2, 0, 1, -1}),
                        Tensor::of<int32_t>({2, 2}, {1, 0, 1, -1})};
  const RoiSamples got = roi_samples(candidates, matches, samples, truth, 2);
  CHECK(got.label.to_vector<int32_t>() == std::vector<int32_t>{1, 2, 1, -1});
  CHECK(got.matched.to_vector<int32_t>() == std::vector<int32_t>{1, -1, 2, -1});
  CHECK(got.positive.to_vector<int32_t>() == std::vector<int32_t>{1, 0, 1, 0});
  const std::vector<float> rois = got.rois.to_vector<float>();
  CHECK(std::vector<float>(rois.begin(), rois.begin() + 5) ==
        std::vector<float>{0, 10, 10, 20, 20});
  CHECK(rois[5] == 0);
  CHECK(rois[10] == 1);
  CHECK(rois[15] == -1);
  const std::vector<float> matched = got.matched_boxes.to_vector<float>();
  CHECK(matched[3] == 20);
  CHECK(matched[7] == 0);
}

TEST_CASE("levels by the pyramid's rule, with both places of the epsilon") {
  const Tensor rois = Tensor::of<float>({6, 5}, {0,  0, 0, 224,  224,   // canonical: level 4
                                                 0,  0, 0, 223,  223,   // just below: 3
                                                 0,  0, 0, 448,  448,   // 5
                                                 0,  0, 0, 4000, 4000,  // clamped to 5
                                                 0,  0, 0, 3,    3,     // clamped to 2
                                                 -1, 0, 0, 0,    0});   // padding: any
  for (const bool inside : {true, false}) {
    const Tensor level = roi_levels(rois, {.levels = 4, .canonical = 224, .eps_inside = inside});
    CHECK(level.to_vector<int32_t>() == std::vector<int32_t>{2, 1, 3, 3, 0, 0});
  }
  const Tensor level = roi_levels(rois, {.levels = 4, .canonical = 112, .eps_inside = true});
  CHECK(level.to_vector<int32_t>()[0] == 3);
}

// detectron2: floor(4 + log2(sqrt(area) / 224 + 1e-8)), torchvision: ... / 224) + 1e-6), in f32.
TEST_CASE("a few ulp below a level's first side the two places of the epsilon part") {
  int parted = 0;
  for (const float first : {112.0f, 224.0f, 448.0f}) {
    float side = first;
    for (int i = 0; i < 20; ++i) side = std::nextafter(side, 0.0f);
    for (int i = 0; i < 40; ++i, side = std::nextafter(side, 1000.0f)) {
      const float ratio = std::sqrt(side * side) / 224.0f;
      const float d2 = std::floor(4.0f + std::log2(ratio + 1e-8f));
      const float tv = std::floor(4.0f + std::log2(ratio) + 1e-6f);
      const Tensor roi = Tensor::of<float>({1, 5}, {0, 0, 0, side, side});
      CAPTURE(side);
      for (const bool inside : {true, false}) {
        const Tensor level = roi_levels(roi, {.levels = 4, .canonical = 224, .eps_inside = inside});
        CHECK(level.data<int32_t>()[0] == static_cast<int32_t>(inside ? d2 : tv) - 2);
      }
      parted += d2 != tv;
    }
  }
  CHECK(parted > 0);
}

TEST_CASE("rois of proposals mark padding by image -1") {
  const Tensor boxes = Tensor::of<float>({2, 1, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor rois = boxes_to_rois(boxes, Tensor::of<int32_t>({2}, {1, 0}));
  CHECK(rois.to_vector<float>() == std::vector<float>{0, 1, 2, 3, 4, -1, 5, 6, 7, 8});
}

}  // namespace soma::test
