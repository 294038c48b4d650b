// Clips boxes to their image and marks those that may not go on: the step between decoding and NMS.
#pragma once
#include "tensor/tensor.h"

namespace soma {

struct FilterSpec {
  double min_side = 0;
  bool strict = true;  // sides must be > min_side; false: >= min_side
};

// boxes f32 [N, K, 4] are clipped in place to image_size i32 [N, 2] (height, width); scores f32
// [N, K] become -inf where a coordinate or the score is not finite or a side is too small.
void filter_boxes(const Tensor& boxes, const Tensor& scores, const Tensor& image_size,
                  const FilterSpec& spec);

namespace cpu {
void filter_boxes(const Tensor& boxes, const Tensor& scores, const Tensor& image_size,
                  const FilterSpec& spec);
}
namespace cuda {
void filter_boxes(const Tensor& boxes, const Tensor& scores, const Tensor& image_size,
                  const FilterSpec& spec);
}

}  // namespace soma
