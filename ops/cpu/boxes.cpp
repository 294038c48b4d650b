// Box kernels: maps over rows. This file is built without contraction (see ops/math/box.h).
#include "ops/boxes.h"

#include "base/parallel.h"
#include "ops/math/box.h"

namespace soma::cpu {
namespace {

constexpr int64_t kRows = 1024;  // per task

CoderScales scales_of(const BoxCoder& coder) {
  const auto& w = coder.weights;
  return {static_cast<float>(w[0]), static_cast<float>(w[1]), static_cast<float>(w[2]),
          static_cast<float>(w[3]), static_cast<float>(coder.max_log_scale)};
}

}  // namespace

void box_iou(const Tensor& a, const Tensor& b, const Tensor& out) {
  const float *first = a.data<float>(), *second = b.data<float>();
  float* iou = out.data<float>();
  const int64_t columns = b.extent(0);
  parallel_chunks(a.extent(0), std::max<int64_t>(1, kRows / std::max<int64_t>(1, columns)),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i) {
                      const Box box = load_box(first + 4 * i);
                      for (int64_t j = 0; j < columns; ++j) {
                        iou[i * columns + j] = soma::box_iou(box, load_box(second + 4 * j));
                      }
                    }
                  });
}

void encode_boxes(const Tensor& reference, const Tensor& target, const BoxCoder& coder,
                  const Tensor& deltas) {
  const CoderScales scales = scales_of(coder);
  const float *from = reference.data<float>(), *to = target.data<float>();
  float* result = deltas.data<float>();
  parallel_chunks(reference.extent(0), kRows, [&](int64_t begin, int64_t end) {
    for (int64_t i = 4 * begin; i < 4 * end; i += 4) {
      encode_box(load_box(from + i), load_box(to + i), scales, result + i);
    }
  });
}

void decode_boxes(const Tensor& reference, const Tensor& deltas, const BoxCoder& coder,
                  const Tensor& boxes) {
  const CoderScales scales = scales_of(coder);
  const float *from = reference.data<float>(), *moves = deltas.data<float>();
  float* result = boxes.data<float>();
  const int64_t columns = deltas.extent(1);
  parallel_chunks(reference.extent(0), kRows, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Box box = load_box(from + 4 * i);
      for (int64_t c = i * columns; c < (i + 1) * columns; c += 4) {
        const Box moved = decode_box(box, moves + c, scales);
        result[c] = moved.x1, result[c + 1] = moved.y1;
        result[c + 2] = moved.x2, result[c + 3] = moved.y2;
      }
    }
  });
}

void clip_boxes(const Tensor& boxes, double height, double width, const Tensor& out) {
  const float limit[2] = {static_cast<float>(width), static_cast<float>(height)};
  const float* from = boxes.data<float>();
  float* to = out.data<float>();
  parallel_chunks(boxes.numel() / 4, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t i = 4 * begin; i < 4 * end; ++i) to[i] = clip_coordinate(from[i], limit[i % 2]);
  });
}

}  // namespace soma::cpu
