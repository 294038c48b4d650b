// Polygons to masks by COCO's rule (pycocotools' frPoly: upsampled by 5, column-major crossing
// points), so that areas equal those that COCO's tools compute.
#pragma once
#include <vector>

#include "masks/rle.h"

namespace soma {

// xy: x0 y0 x1 y1 ... in pixels, at least 3 points; several polygons of one object are united.
Rle rasterise_polygons(const std::vector<std::vector<double>>& polygons, int64_t height,
                       int64_t width);
// Outlines of a mask's outer borders and holes, pixel corners as vertices (x0 y0 x1 y1 ...).
std::vector<std::vector<double>> outline(const Rle& mask);

}  // namespace soma
