// The sparse table behind every metric: which prediction touches which truth, in how many pixels.
#pragma once
#include <span>
#include <vector>

#include "masks/prediction.h"

namespace soma {

// What is compared on one image. The masks on both sides have the image's size.
struct ImagePair {
  std::span<const Instance> truths;
  std::span<const Prediction> predictions;
};

struct MaskPair {
  int prediction = 0, truth = 0;
  int64_t intersection = 0;  // pixels, at least 1
};

struct MaskPairs {
  std::vector<int64_t> prediction_areas, truth_areas;
  std::vector<MaskPair> pairs;  // by prediction, then by truth
};

// All pairs that share a pixel, crowds included. Error when the sizes of the masks differ.
MaskPairs mask_pairs(const ImagePair& image);

}  // namespace soma
