// What the loader hands to a training step.
#pragma once
#include <string>
#include <vector>

#include "tensor/ground_truth.h"
#include "tensor/image_batch.h"

namespace soma {

struct Batch {
  ImageBatch images;  // of which ops/transform_images.h makes the network's input
  GroundTruth truth;
  std::vector<std::string> ids;  // of the images, for messages
};

}  // namespace soma
