// Thresholds chosen on held-out images, and whether they are more than luck. The search goes
// threshold by threshold (coordinate ascent on the competition's score); what it is worth is
// measured by cross-validation: each part of the images is scored with thresholds that were chosen
// on the others. The score on the images that chose them is always too good.
#pragma once
#include <span>
#include <utility>
#include <vector>

#include "evaluation/overlap.h"

namespace soma {

struct TuningImage {
  std::span<const Instance> truths;
  std::vector<ImagePredictions> variants;  // the detections, pasted at each mask threshold to try
};

// What is chosen; lists are by class.
struct Thresholds {
  size_t variant = 0;
  std::vector<double> score, max_iou, min_pixels;
};

struct Tuning {
  Thresholds best;                       // on all images together
  double before = 0, after = 0;          // mean scores of all images: at the start, with `best`
  double gain = 0;                       // mean gain of images that did not choose
  std::pair<double, double> interval{};  // of the gain, 95 %, paired by image
};

struct TuningPlan {
  OverlapRules rules;  // what is not tuned
  Thresholds start;    // lists of `classes` values
  int classes = 0, folds = 5;
  uint64_t seed = 0;
};

// Error: no image, images with unequal numbers of variants, lists of another length. With fewer
// images than folds there are as many folds as images; one image has no gain to measure (NaN).
Tuning tune_thresholds(std::span<const TuningImage> images, const TuningPlan& plan);

// The part, from 0, that each image belongs to: images of a kind (the class most frequent in their
// truths) are dealt out in turn after a shuffle.
std::vector<int> deal_folds(std::span<const TuningImage> images, int folds, uint64_t seed);

}  // namespace soma
