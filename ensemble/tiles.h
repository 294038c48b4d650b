// Large images by overlapping windows, one in memory at a time, and the seams between them. A cell
// that two windows see whole is kept once; a cell that a window's edge cuts is kept from the window
// that sees it whole. So the overlap must be as wide as the widest cell: a wider one may stay cut.
#pragma once
#include <span>
#include <vector>

#include "data/image.h"
#include "ensemble/config.h"
#include "models/maskrcnn/mask_rcnn.h"

namespace soma {

// Windows of side x side pixels (or the image's, where it is smaller) that cover the image, spread
// evenly, neighbours sharing `overlap` pixels at least; row by row. Error: overlap >= side.
std::vector<PixelBox> tile_windows(int64_t height, int64_t width, int64_t side, int64_t overlap);

// The windows that an image is seen through by rules.tile and rules.tile_overlap: one where it
// fits.
std::vector<PixelBox> tile_windows(int64_t height, int64_t width, const EnsembleConfig& rules);

Image crop(const Image& image, const PixelBox& window);

// parts: the detections of each window, boxes in the pixels of the height x width image. Of two
// windows' detections that are one cell (IoU of the masks above rules.iou, of one class if
// rules.per_class) the one with the better score stays; one that touches an inner edge of its
// window gives way to whole ones first, and goes when they cover over half of it. Score down.
SoftDetections join_tiles(std::span<const SoftDetections> parts, std::span<const PixelBox> windows,
                          const EnsembleConfig& rules, const TestConfig& test, int64_t height,
                          int64_t width);

}  // namespace soma
