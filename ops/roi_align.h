// RoIAlign (He et al. 2017, section 3) over several feature levels at once, NHWC, with the edge
// rules of torchvision and detectron2 (the same op in both): a sample with y < -1 or y > H counts
// as 0, others are clamped; the average divides by all samples.
#pragma once
#include <vector>

#include "autograd/variable.h"

namespace soma {

struct RoiAlignSpec {
  int size = 7;            // pooled height and width
  int sampling_ratio = 2;  // samples per bin and axis; 0: ceil(roi side / size), per RoI and axis
  bool aligned = false;    // true: -.5 shift and no minimum side; false: side at least 1 cell
};

// features[l] [N, H_l, W_l, C] at scale scales[l] (feature cells per pixel); rois f32 [K, 5] as
// (image, x1, y1, x2, y2) in pixels; level i32 [K] in [0, L). A RoI with image < 0 is padding and
// gives zeros, as does one whose corners are not finite; a RoI on an image or level that is not
// there is an Error. -> [K, size, size, C]. No gradient to rois.
Variable roi_align(const std::vector<Variable>& features, const std::vector<double>& scales,
                   const Tensor& rois, const Tensor& level, const RoiAlignSpec& spec);

namespace cpu {
void roi_align_forward(const std::vector<Tensor>& features, const std::vector<double>& scales,
                       const Tensor& rois, const Tensor& level, const RoiAlignSpec& spec,
                       const Tensor& out);
// grad_features: added to; undefined where no gradient is wanted.
void roi_align_backward(const Tensor& grad, const std::vector<double>& scales, const Tensor& rois,
                        const Tensor& level, const RoiAlignSpec& spec,
                        const std::vector<Tensor>& grad_features);
}  // namespace cpu
namespace cuda {
void roi_align_forward(const std::vector<Tensor>& features, const std::vector<double>& scales,
                       const Tensor& rois, const Tensor& level, const RoiAlignSpec& spec,
                       const Tensor& out);
// grad_features: added to; undefined where no gradient is wanted.
void roi_align_backward(const Tensor& grad, const std::vector<double>& scales, const Tensor& rois,
                        const Tensor& level, const RoiAlignSpec& spec,
                        const std::vector<Tensor>& grad_features);
}  // namespace cuda

}  // namespace soma
