#include "ops/filter_boxes.h"

#include "ops/dispatch.h"

namespace soma {

void filter_boxes(const Tensor& boxes, const Tensor& scores, const Tensor& image_size,
                  const FilterSpec& spec) {
  check(boxes.rank() == 3 && boxes.extent(2) == 4, "filter_boxes", "boxes must be [N,K,4], got ",
        boxes.shape());
  const int64_t images = boxes.extent(0);
  check(scores.shape() == Shape{images, boxes.extent(1)}, "filter_boxes", "scores ", scores.shape(),
        " for boxes ", boxes.shape());
  check(image_size.shape() == Shape{images, 2}, "filter_boxes", "image_size must be [", images,
        ",2], got ", image_size.shape());
  run<cpu::filter_boxes, cuda::filter_boxes>("filter_boxes", boxes.device(), boxes, scores,
                                             image_size, spec);
}

}  // namespace soma
