// What the losses need from matches and samples: rows, labels and counts put together on the
// device, at fixed capacity. No gradients.
#pragma once
#include "ops/matching.h"
#include "tensor/ground_truth.h"

namespace soma {

// index i32 [N, S] of columns of a [N, stride] tensor -> rows of it laid flat: n * stride + index;
// -1 stays -1. -> i32 [N * S].
Tensor flatten_index(const Tensor& index, int64_t stride);

// index i32 [K] -> index / divisor and what is left over, both i32 [K]; -1 stays -1 in both.
struct SplitIndex {
  Tensor quotient, remainder;
};
SplitIndex split_index(const Tensor& index, int64_t divisor);

// source i32 [R] picked by index i32 [K]; index -1 gives -1. -> i32 [K].
Tensor take(const Tensor& source, const Tensor& index);

// How many labels i32 are >= least, at least 1, as a scalar of `dtype`: a loss's normaliser.
Tensor count_at_least(const Tensor& label, int32_t least, DType dtype);

// Proposals and the ground truth itself as candidates for the RoI heads' training sample.
struct RoiCandidates {
  Tensor boxes;  // f32 [N, P + G', 4], G' the most instances of an image (on a device: of all)
  Tensor valid;  // i32 [N, P + G']
};
// boxes f32 [N, P, 4] of which count i32 [N] are there.
RoiCandidates roi_candidates(const Tensor& boxes, const Tensor& count, const GroundTruth& truth);

// The drawn RoIs of all images: N * S rows, positives first within each image.
struct RoiSamples {
  Tensor rois;           // f32 [N*S, 5] (image, x1, y1, x2, y2); image -1: padding
  Tensor boxes;          // f32 [N*S, 4]: the same without the image
  Tensor positive;       // i32 [N*S]: 1 for positives, else 0
  Tensor label;          // i32 [N*S]: class, `classes` for background, -1 for padding
  Tensor matched;        // i32 [N*S]: row of the ground truth for positives, else -1
  Tensor matched_boxes;  // f32 [N*S, 4]: its box; zeros where there is none
};
RoiSamples roi_samples(const RoiCandidates& candidates, const Matches& matches,
                       const Samples& samples, const GroundTruth& truth, int64_t classes);

// boxes f32 [N, P, 4] of which count i32 [N] are there -> rois f32 [N*P, 5]; padding has image -1.
Tensor boxes_to_rois(const Tensor& boxes, const Tensor& count);

// The level in [0, levels) that each RoI is pooled from (Lin et al. 2017, eq. 1):
// floor(4 + log2(sqrt(area) / canonical)) clamped to [2, 1 + levels], minus 2.
struct LevelSpec {
  int levels = 4;
  double canonical = 224;
  bool eps_inside = true;  // detectron2: log2(ratio + 1e-8); false, torchvision: log2(ratio) + 1e-6
};
Tensor roi_levels(const Tensor& rois, const LevelSpec& spec);

namespace cpu {
void flatten_index(const Tensor& index, int64_t stride, const Tensor& out);
void split_index(const Tensor& index, int64_t divisor, const SplitIndex& out);
void take(const Tensor& source, const Tensor& index, const Tensor& out);
void count_at_least(const Tensor& label, int32_t least, const Tensor& out);
void roi_candidates(const Tensor& boxes, const Tensor& count, const GroundTruth& truth,
                    const RoiCandidates& out);
void roi_samples(const RoiCandidates& candidates, const Matches& matches, const Samples& samples,
                 const GroundTruth& truth, int64_t classes, const RoiSamples& out);
void boxes_to_rois(const Tensor& boxes, const Tensor& count, const Tensor& out);
void roi_levels(const Tensor& rois, const LevelSpec& spec, const Tensor& out);
}  // namespace cpu
namespace cuda {
void flatten_index(const Tensor& index, int64_t stride, const Tensor& out);
void split_index(const Tensor& index, int64_t divisor, const SplitIndex& out);
void take(const Tensor& source, const Tensor& index, const Tensor& out);
void count_at_least(const Tensor& label, int32_t least, const Tensor& out);
void roi_candidates(const Tensor& boxes, const Tensor& count, const GroundTruth& truth,
                    const RoiCandidates& out);
void roi_samples(const RoiCandidates& candidates, const Matches& matches, const Samples& samples,
                 const GroundTruth& truth, int64_t classes, const RoiSamples& out);
void boxes_to_rois(const Tensor& boxes, const Tensor& count, const Tensor& out);
void roi_levels(const Tensor& rois, const LevelSpec& spec, const Tensor& out);
}  // namespace cuda

}  // namespace soma
