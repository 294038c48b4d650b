// COCO's average precision of masks, equal to pycocotools' COCOeval (iouType "segm") with
// maxDets = max_detections and a truth's area counted in its mask's pixels. Crowds and truths
// outside the area range are neither found nor missed; what matches them is ignored.
#pragma once
#include <array>

#include "evaluation/mask_pairs.h"

namespace soma {

inline constexpr int kApThresholds = 10;  // IoU 0.50, 0.55 .. 0.95
inline constexpr int kApRecalls = 101;    // recall 0.00, 0.01 .. 1.00

// Precision at each recall for one class and IoU threshold, all areas.
using PrecisionCurve = std::array<double, kApRecalls>;

// Means over classes that have truths; NaN (pycocotools: -1) where no class has.
struct CocoAp {
  double ap = 0, ap50 = 0, ap75 = 0;
  double small = 0, medium = 0, large = 0;                        // areas to 32^2, to 96^2, above
  double ar = 0;                                                  // average recall
  std::vector<double> classes;                                    // AP of each class
  std::vector<std::array<PrecisionCurve, kApThresholds>> curves;  // of each class; NaN without
};

// Equal scores keep the order of images, then of predictions. The result has the same bits for any
// thread count. max_detections is per image and class, best first.
CocoAp coco_ap(std::span<const ImagePair> images, int class_count, int max_detections = 1000);

}  // namespace soma
