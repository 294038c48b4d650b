// The competition's submission: `id,predicted`, a row per cell with its run lengths (1-based,
// row-major), one row with an empty string for an image without cells.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "data/annotations.h"

namespace soma {

// Writes all images atomically, then reads the file back and compares every pixel. Error before
// anything is written when masks of an image overlap, are empty or have another size, or when two
// images share an id.
void write_submission(const std::string& path, std::span<const ImagePredictions> images);

struct Submission {
  std::vector<ImagePredictions> images;  // as the samples given; cells in the file's order
  std::vector<std::string> missing;      // ids of samples without a row
};
// Reads `id,predicted` (or `id,annotation`) for images of known size. Scores are 1, classes 0,
// boxes those of the masks. Masks may overlap. Error, one line with the place: an id that is not
// among the samples, broken run lengths, another table.
Submission read_submission(const std::string& path, std::span<const Sample> samples);

}  // namespace soma
