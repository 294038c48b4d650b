// What is in a data set and what is wrong with its masks. The mean and deviation of its pixels are
// dataset_mean_std's (loader.h).
#pragma once
#include <string>
#include <vector>

#include "data/annotations.h"
#include "data/image_io.h"
#include "data/suggest_anchors.h"

namespace soma {

// All zero for no values.
struct Quantiles {
  double least = 0, p5 = 0, p25 = 0, median = 0, p75 = 0, p95 = 0, greatest = 0, mean = 0;
};
Quantiles quantiles_of(std::vector<double> values);

struct SizeCount {
  ImageSize size;
  int64_t images = 0;
};

struct ClassStatistics {
  std::string name;
  int64_t images = 0, instances = 0;  // images that hold one
  Quantiles areas;                    // in pixels
  Quantiles per_image;                // instances in an image that holds one
};

// Counts of instances by data/mask_faults.h (crowds are left out of all but `crowds`).
struct FaultCounts {
  int64_t empty = 0, several_pieces = 0, holed = 0, cut = 0;
  int64_t duplicates = 0, near_copies = 0, overlapping = 0;
};

struct DataStatistics {
  int64_t images = 0, images_without_instances = 0, instances = 0, crowds = 0;
  std::vector<SizeCount> sizes;  // most frequent first
  std::vector<ClassStatistics> classes;
  Quantiles areas, box_widths, box_heights, per_image;
  FaultCounts faults;
  double overlap_share = 0;  // pixels in two masks or more, of all pixels in masks
  SuggestedAnchors anchors;
};

// Reads no image. The result has the same bits for any thread count.
DataStatistics data_statistics(const Dataset& data);

}  // namespace soma
