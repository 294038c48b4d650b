// What stands on an image: annotated instances and predicted ones. Here, since data sets, models
// and metrics all speak of them and see nothing but masks in common.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "masks/rle.h"

namespace soma {

// An annotated object.
struct Instance {
  int class_index = 0;  // into Dataset::classes
  Rle mask;
  bool crowd = false;  // COCO iscrowd: ignored in training and evaluation
};

// A detected object.
struct Prediction {
  int class_index = 0;         // into the model's classes
  float score = 0;             // of the class, 0 to 1
  std::array<float, 4> box{};  // the network's: x0 y0 x1 y1 in pixels of the image
  Rle mask;                    // of the image's size
  float mean_probability = 0;  // mean mask probability inside the mask; 0 when not known
};

struct ImagePredictions {
  std::string id;         // Sample::id
  std::string file_name;  // Sample::file_name
  int64_t coco_id = 0;    // Sample::coco_id
  int64_t height = 0, width = 0;
  std::vector<Prediction> predictions;  // in any order; their masks may overlap
};

}  // namespace soma
