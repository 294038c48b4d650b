// What a biologist reads off a cell, as scikit-image's regionprops defines it, and the label image
// whose values are the cells' numbers in that table.
#pragma once
#include <string>
#include <vector>

#include "data/image.h"
#include "data/image_io.h"
#include "masks/prediction.h"

namespace soma {

struct Measurement {
  int64_t area = 0;                       // pixels
  double centroid_x = 0, centroid_y = 0;  // of the pixels; the first pixel's centre is (0, 0)
  double perimeter = 0;                   // line through the centres of border pixels, in pixels
  double eccentricity = 0;                // of the ellipse with the same second moments, 0 to 1
  double mean_intensity = 0;              // over the mask's pixels and the image's channels
};

// Error when the sizes of mask and image differ. All zero for an empty mask.
Measurement measure(const Rle& mask, const Image& image);

// CSV: a header, then a line per cell. Cells are numbered from 1 in the order given; `classes` are
// the names that class_index points into.
std::string measurements_header();
std::string measurement_rows(const ImagePredictions& predictions, const Image& image,
                             const std::vector<std::string>& classes);

// Cell numbers as pixels, 0 is background. Where masks overlap the first keeps the pixel.
LabelImage label_cells(const ImagePredictions& predictions);

}  // namespace soma
