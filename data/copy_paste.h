// Copy-paste augmentation (Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method
// for Instance Segmentation", CVPR 2021): cells of another image, cut out by their masks and put
// down somewhere on this one, without blending.
#pragma once
#include <span>
#include <vector>

#include "base/random.h"
#include "data/config.h"
#include "data/image.h"
#include "masks/prediction.h"

namespace soma {

// From 1 to 30 cells of the donor, each at a random place where it fits whole. What lies below
// loses the pixels; a place that would leave of some cell a visible rest smaller than
// augment.copy_paste_visible of it is not taken, so that no rest is seen that is no cell, and no
// cell is learnt from a sliver; cells that are covered whole are removed. Colours follow the
// image's: gray from RGB by its mean. Crowds are not copied.
void paste_cells(Image& image, std::vector<Instance>& instances, const Image& donor,
                 std::span<const Instance> cells, const AugmentConfig& augment, Random& random);

}  // namespace soma
