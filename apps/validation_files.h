// What validations leave in a run folder's validation/: of each one a mosaic, and of the best one
// what was there, what was found, and small pictures, so that the run can be read without its data:
//   mosaic-000500.png   hits, misses and false finds on the first images, after iteration 500
//   truth.json          COCO data set, without the images
//   coco.json           COCO results: all detections, before overlaps are removed
//   pictures/ID.png     each image, at most 640 pixels a side; ID is that of truth.json
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/annotations.h"
#include "run/config.h"

namespace soma {

class ValidationFiles {
 public:
  // `detections` are those of the first samples of `data`; both must outlive this.
  ValidationFiles(std::string folder, const Dataset& data,
                  std::span<const ImagePredictions> detections);
  void write_mosaic(int64_t iteration, const TestConfig& test) const;
  void write_best() const;

 private:
  std::string folder_;
  const Dataset& data_;
  std::span<const ImagePredictions> detections_;
};

struct BestValidation {
  Dataset truth;  // a sample's path is that of its small picture, "" where there is none
  std::vector<ImagePredictions> detections;  // as the samples
};
// Nothing when the folder holds none. Error: it cannot be read.
std::optional<BestValidation> read_best_validation(const std::string& folder);

}  // namespace soma
