#include "ops/boxes.h"

#include "ops/dispatch.h"

namespace soma {
namespace {

void check_rows(const char* who, const char* name, const Tensor& boxes) {
  check(boxes.dtype() == DType::f32 && boxes.rank() == 2 && boxes.extent(1) == 4, who, name,
        " must be f32[K, 4], got ", name_of(boxes.dtype()), boxes.shape());
}

void check_coder(const char* who, const BoxCoder& coder) {
  for (const double weight : coder.weights) check(weight > 0, who, "weights must be > 0");
}

}  // namespace

Tensor box_iou(const Tensor& a, const Tensor& b) {
  check_rows("box_iou", "a", a);
  check_rows("box_iou", "b", b);
  const Tensor out = Tensor::empty({a.extent(0), b.extent(0)}, DType::f32, a.device());
  run<cpu::box_iou, cuda::box_iou>("box_iou", a.device(), a, b, out);
  return out;
}

Tensor encode_boxes(const Tensor& reference, const Tensor& target, const BoxCoder& coder) {
  check_rows("encode_boxes", "reference", reference);
  check_rows("encode_boxes", "target", target);
  check(reference.shape() == target.shape(), "encode_boxes", "needs as many targets as references",
        ", got ", target.shape(), " for ", reference.shape());
  check_coder("encode_boxes", coder);
  const Tensor deltas = Tensor::empty_like(reference);
  run<cpu::encode_boxes, cuda::encode_boxes>("encode_boxes", reference.device(), reference, target,
                                             coder, deltas);
  return deltas;
}

Tensor decode_boxes(const Tensor& reference, const Tensor& deltas, const BoxCoder& coder) {
  check_rows("decode_boxes", "reference", reference);
  check(deltas.dtype() == DType::f32 && deltas.rank() == 2 &&
            deltas.extent(0) == reference.extent(0) && deltas.extent(1) % 4 == 0,
        "decode_boxes", "deltas must be f32[K, 4 C] for ", reference.shape(), " references, got ",
        name_of(deltas.dtype()), deltas.shape());
  check_coder("decode_boxes", coder);
  const Tensor boxes = Tensor::empty_like(deltas);
  run<cpu::decode_boxes, cuda::decode_boxes>("decode_boxes", deltas.device(), reference, deltas,
                                             coder, boxes);
  return boxes;
}

Tensor clip_boxes(const Tensor& boxes, double height, double width) {
  check(boxes.dtype() == DType::f32 && boxes.rank() >= 1 && boxes.shape().back() == 4, "clip_boxes",
        "boxes must be f32[..., 4], got ", name_of(boxes.dtype()), boxes.shape());
  check(height >= 0 && width >= 0, "clip_boxes", "the image is ", height, " x ", width);
  const Tensor out = Tensor::empty_like(boxes);
  run<cpu::clip_boxes, cuda::clip_boxes>("clip_boxes", boxes.device(), boxes, height, width, out);
  return out;
}

}  // namespace soma
