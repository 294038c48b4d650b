// Label images as masks: each value above 0 is one instance.
#pragma once
#include <vector>

#include "data/image_io.h"
#include "masks/rle.h"

namespace soma {

// A mask per label, by ascending label. Error of `name`: more than a million labels, which no
// picture of cells has (but a photograph has).
std::vector<Rle> masks_of_labels(const LabelImage& image, const std::string& name);

}  // namespace soma
