#include "ops/nms.h"

#include <limits>

#include "ops/dispatch.h"

namespace soma {

Kept nms(const Tensor& boxes, const Tensor& scores, const Tensor& group, const NmsSpec& spec) {
  check(boxes.dtype() == DType::f32 && boxes.rank() == 3 && boxes.extent(2) == 4, "nms",
        "boxes must be f32[N, K, 4], got ", name_of(boxes.dtype()), boxes.shape());
  const Shape rows = {boxes.extent(0), boxes.extent(1)};
  check(scores.dtype() == DType::f32 && scores.shape() == rows, "nms", "scores must be f32", rows,
        ", got ", name_of(scores.dtype()), scores.shape());
  check(group.dtype() == DType::i32 && group.shape() == rows, "nms", "group must be i32", rows,
        ", got ", name_of(group.dtype()), group.shape());
  check(spec.iou_threshold >= 0 && spec.iou_threshold <= 1, "nms",
        "iou_threshold must be in [0, 1], got ", spec.iou_threshold);
  check(spec.max_keep >= 0, "nms", "max_keep must be >= 0, got ", spec.max_keep);
  check(rows[1] <= std::numeric_limits<int32_t>::max(), "nms", rows[1],
        " boxes do not fit i32 indices");
  const Kept out = {Tensor::empty({rows[0], spec.max_keep}, DType::i32, boxes.device()),
                    Tensor::empty({rows[0]}, DType::i32, boxes.device())};
  run<cpu::nms, cuda::nms>("nms", boxes.device(), boxes, scores, group, spec, out);
  return out;
}

}  // namespace soma
