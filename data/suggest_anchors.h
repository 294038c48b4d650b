// Anchors that suit a data set's boxes: sizes and ratios (height / width) by k-means on their
// logarithms, in pixels of the image: an input scaled by a factor wants sizes scaled by it.
#pragma once
#include <span>
#include <vector>

#include "masks/rle.h"

namespace soma {

struct AnchorFit {
  double mean_iou = 0;    // of each box with the best anchor, centres together
  double above_half = 0;  // share of boxes whose best IoU is 0.5 or more
};
AnchorFit anchor_fit(std::span<const PixelBox> boxes, std::span<const double> sizes,
                     std::span<const double> ratios);

struct SuggestedAnchors {
  std::vector<double> sizes;   // one a level, whole numbers, each 1.19 times the one before or more
  std::vector<double> ratios;  // ascending, two decimals
  AnchorFit fit;
};
// Empty without boxes; boxes without pixels are left out.
SuggestedAnchors suggest_anchors(std::span<const PixelBox> boxes, int levels = 5,
                                 int ratio_count = 3);

}  // namespace soma
