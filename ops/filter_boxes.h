// Clips boxes to their image and marks those that may not go on: the step between decoding and NMS.
#pragma once
#include "tensor/tensor.h"

namespace soma {

struct FilterSpec {
  double min_side = 0;
  bool strict = true;  // sides must be > min_side; false: >= min_side
  // So many boxes in a row lose their scores together when one of them is not finite: the classes
  // of a RoI under detectron2. Must divide K.
  int64_t together = 1;
};

// boxes f32 [N, K, 4] are clipped in place to image_size i32 [N, 2] (height, width); scores f32
// [N, K] become -inf where a coordinate or the score is not finite or a side is too small.
void filter_boxes(const Tensor& boxes, const Tensor& scores, const Tensor& image_size,
                  const FilterSpec& spec);

// probabilities f32 [N * P, C + 1] (background last) of P proposals per image, of which count i32
// [N] are there -> scores f32 [N, P * C], -inf where not above `threshold` (compared in f32, as
// torch does) or padding.
Tensor class_scores(const Tensor& probabilities, const Tensor& count, double threshold);
// The class of each of those: i32 [images, per_image * classes].
Tensor class_groups(int64_t images, int64_t per_image, int64_t classes, Device device);

namespace cpu {
void class_scores(const Tensor& probabilities, const Tensor& count, double threshold,
                  const Tensor& out);
void class_groups(int64_t classes, const Tensor& out);
void filter_boxes(const Tensor& boxes, const Tensor& scores, const Tensor& image_size,
                  const FilterSpec& spec);
}  // namespace cpu
namespace cuda {
void class_scores(const Tensor& probabilities, const Tensor& count, double threshold,
                  const Tensor& out);
void class_groups(int64_t classes, const Tensor& out);
void filter_boxes(const Tensor& boxes, const Tensor& scores, const Tensor& image_size,
                  const FilterSpec& spec);
}  // namespace cuda

}  // namespace soma
