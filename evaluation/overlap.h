// From scored detections to the cells of an image: masks mended, thresholds, then greedy removal
// of overlaps. The best score takes its pixels first and a later mask keeps what is left, as the
// competition demands: no pixel in two masks, nothing under the size limit after clipping.
#pragma once
#include <vector>

#include "masks/prediction.h"

namespace soma {

struct OverlapRules {
  // Of each class; classes past the end use the last value, an empty list sets no limit.
  std::vector<float> min_score;     // scores below are dropped
  std::vector<int64_t> min_pixels;  // masks with fewer pixels left are dropped and take none
  // A mask of which more than this fraction is taken is dropped whole; 1 never drops.
  double max_taken = 1;
  // The most frequent class among all detections given (the lowest of equals) becomes the class of
  // all: the competition's images hold one cell type each.
  bool majority_class = false;
  // Of each class: a mask whose IoU with a better one of any class is above this is dropped first.
  std::vector<double> max_iou;
  bool score_by_mask = false;  // scores count times mean_probability, where that is known
  bool fill_holes = false, largest_piece = false;  // of every mask, before it is measured
};

// The cells that stay, best score first (equal scores in the order given), with the scores that
// counted. Boxes stay the
// network's. Error when a mask has not the image's size or a class is negative.
std::vector<Prediction> resolve_overlaps(const ImagePredictions& image, const OverlapRules& rules);

}  // namespace soma
