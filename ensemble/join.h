// Detections of one image by several models or views, joined into one set: their boxes by
// box_fusion.h or their masks by masks/nms.h, then for every heap one mask.
#pragma once
#include <span>

#include "ensemble/config.h"
#include "models/maskrcnn/mask_rcnn.h"

namespace soma {

// parts: of equal mask size, boxes in the pixels of a height x width image; weights: one for each
// part. A single part comes back as it is. The result's masks are S x S on their new boxes; a mean
// of masks (MaskFusion::mean, and where a mean box needs it) samples each member's mask at the
// cells' centres, bilinear, 0 outside its box (the rule of detectron2's paste).
SoftDetections join_detections(std::span<const SoftDetections> parts,
                               std::span<const double> weights, const EnsembleConfig& rules,
                               const TestConfig& test, int64_t height, int64_t width);

// The mask f32 [S, S] that spans `from`, read on the S x S cells of `to`: each times weight is
// added to out.
void add_mask_on_box(const float* mask, int64_t size, const std::array<float, 4>& from,
                     const std::array<float, 4>& to, float weight, float* out);

}  // namespace soma
