// Training targets of the mask head: each sampled RoI's ground-truth mask resampled to the head's
// grid, by RoIAlign of the full-frame 0/1 mask (adaptive sampling). torchvision keeps the soft
// values of the unaligned form; detectron2 uses the aligned form and thresholds at >= .5.
#pragma once
#include "tensor/ground_truth.h"

namespace soma {

struct MaskTargetSpec {
  int size = 28;
  bool aligned = false;
  bool threshold = false;  // >= .5 -> 1, else 0
};

// rois f32 [K, 5] (image < 0 is padding), matched i32 [K] (rows of the pool; < 0 is padding),
// image_size i32 [N, 2] as (height, width) -> f32 [K, size, size]; padding rows are -1, which the
// loss does not count. Beyond its crop a mask is 0; beyond the image the edge rule of RoIAlign
// holds. Positions are f32 as in the references, sums f64.
Tensor mask_targets(const MaskPool& pool, const Tensor& rois, const Tensor& matched,
                    const Tensor& image_size, const MaskTargetSpec& spec);

namespace cpu {
void mask_targets(const MaskPool& pool, const Tensor& rois, const Tensor& matched,
                  const Tensor& image_size, const MaskTargetSpec& spec, const Tensor& out);
}  // namespace cpu
namespace cuda {
void mask_targets(const MaskPool& pool, const Tensor& rois, const Tensor& matched,
                  const Tensor& image_size, const MaskTargetSpec& spec, const Tensor& out);
}  // namespace cuda

}  // namespace soma
