// Box kernels: maps. Nothing here is contracted into multiply-adds (see ops/math/box.h): nvcc gets
// --fmad=false for every file.
#include "ops/boxes.h"

#include "ops/cuda/each.cuh"
#include "ops/math/box.h"

namespace soma::cuda {
namespace {

CoderScales scales_of(const BoxCoder& coder) {
  const auto& w = coder.weights;
  return {static_cast<float>(w[0]), static_cast<float>(w[1]), static_cast<float>(w[2]),
          static_cast<float>(w[3]), static_cast<float>(coder.max_log_scale)};
}

struct Iou {
  const float *a, *b;
  int64_t columns;
  float* out;
  __device__ void operator()(int64_t i) const {
    out[i] = soma::box_iou(load_box(a + 4 * (i / columns)), load_box(b + 4 * (i % columns)));
  }
};

struct Encode {
  const float *reference, *target;
  CoderScales scales;
  float* deltas;
  __device__ void operator()(int64_t i) const {
    encode_box(load_box(reference + 4 * i), load_box(target + 4 * i), scales, deltas + 4 * i);
  }
};

struct Decode {
  const float *reference, *deltas;
  int64_t per_row;  // boxes
  CoderScales scales;
  float* boxes;
  __device__ void operator()(int64_t i) const {
    const Box moved = decode_box(load_box(reference + 4 * (i / per_row)), deltas + 4 * i, scales);
    float* to = boxes + 4 * i;
    to[0] = moved.x1, to[1] = moved.y1, to[2] = moved.x2, to[3] = moved.y2;
  }
};

struct Clip {
  const float* boxes;
  float width, height;
  float* out;
  __device__ void operator()(int64_t i) const {
    out[i] = clip_coordinate(boxes[i], i % 2 == 0 ? width : height);
  }
};

}  // namespace

void box_iou(const Tensor& a, const Tensor& b, const Tensor& out) {
  each(out.numel(), Iou{a.data<float>(), b.data<float>(), b.extent(0), out.data<float>()});
}

void encode_boxes(const Tensor& reference, const Tensor& target, const BoxCoder& coder,
                  const Tensor& deltas) {
  each(reference.extent(0), Encode{reference.data<float>(), target.data<float>(), scales_of(coder),
                                   deltas.data<float>()});
}

void decode_boxes(const Tensor& reference, const Tensor& deltas, const BoxCoder& coder,
                  const Tensor& boxes) {
  each(deltas.numel() / 4, Decode{reference.data<float>(), deltas.data<float>(),
                                  deltas.extent(1) / 4, scales_of(coder), boxes.data<float>()});
}

void clip_boxes(const Tensor& boxes, double height, double width, const Tensor& out) {
  each(boxes.numel(), Clip{boxes.data<float>(), static_cast<float>(width),
                           static_cast<float>(height), out.data<float>()});
}

}  // namespace soma::cuda
