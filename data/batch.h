// What the loader hands to a training step.
#pragma once
#include <string>
#include <vector>

#include "tensor/ground_truth.h"

namespace soma {

struct Batch {
  Tensor images;  // f32 [N, H, W, 4]: normalised RGB (or BGR) and a channel of zeros; padded with 0
  GroundTruth truth;
  std::vector<std::string> ids;  // of the images, for messages
};

}  // namespace soma
