// Validation during training: the averaged weights predict held-out images and are scored as
// `soma eval` scores them.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/annotations.h"
#include "run/config.h"
#include "tensor/tensor.h"

namespace soma {

struct Validation {
  double kaggle = 0;  // of the submitted cells
  double ap = 0;      // COCO mask AP of all detections; NaN without a truth
  int64_t images = 0;
  double seconds = 0;
  std::vector<ImagePredictions> detections;  // of these images
};

// Scores `weights` on the first `limit` samples, one at least; once `seconds` have passed no
// further image is begun (0: no limit). Nothing when the user interrupts. The model is built anew
// from `config`, where the weights are, so training's own is not touched.
std::optional<Validation> validate(const RunConfig& config,
                                   const std::map<std::string, Tensor>& weights,
                                   const Dataset& dataset, int64_t limit, double seconds);

}  // namespace soma
