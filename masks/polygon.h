// Polygons to masks by COCO's rule (pycocotools' frPoly: upsampled by 5, column-major crossing
// points), so that areas equal those that COCO's tools compute.
#pragma once
#include <vector>

#include "masks/rle.h"

namespace soma {

// xy: x0 y0 x1 y1 ... in pixels, at least 3 points; several polygons of one object are united.
Rle rasterise_polygons(const std::vector<std::vector<double>>& polygons, int64_t height,
                       int64_t width);
// The rings of one object by the even-odd rule: what lies in an even number of them is a hole.
Rle rasterise_rings(const std::vector<std::vector<double>>& rings, int64_t height, int64_t width);

}  // namespace soma
