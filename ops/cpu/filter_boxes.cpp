#include "ops/filter_boxes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"

namespace soma::cpu {
namespace {

bool finite(const float* boxes, int64_t count) {
  return std::all_of(boxes, boxes + 4 * count, [](float value) { return std::isfinite(value); });
}

}  // namespace

void filter_boxes(const Tensor& boxes, const Tensor& scores, const Tensor& image_size,
                  const FilterSpec& spec) {
  const int64_t per_image = boxes.extent(1);
  float *box = boxes.data<float>(), *score = scores.data<float>();
  const int32_t* size = image_size.data<int32_t>();
  const int64_t groups = boxes.extent(0) * per_image / spec.together;
  parallel_chunks(groups, 1024, [&](int64_t first, int64_t last) {
    bool whole = true;
    for (int64_t i = first * spec.together; i < last * spec.together; ++i) {
      const int64_t image = i / per_image;
      float* b = box + 4 * i;
      if (i % spec.together == 0) whole = finite(b, spec.together);
      bool good = whole && std::isfinite(score[i]);
      for (int c = 0; c < 4; ++c) {
        const auto limit = static_cast<float>(size[2 * image + (c % 2 == 0 ? 1 : 0)]);
        b[c] = std::isnan(b[c]) ? 0.0f : std::clamp(b[c], 0.0f, limit);
      }
      const double side = std::min(double{b[2] - b[0]}, double{b[3] - b[1]});
      good = good && (spec.strict ? side > spec.min_side : side >= spec.min_side);
      if (!good) score[i] = -std::numeric_limits<float>::infinity();
    }
  });
}

void class_scores(const Tensor& probabilities, const Tensor& count, double threshold,
                  const Tensor& out) {
  const int64_t classes = probabilities.extent(1) - 1;
  const int64_t per_image = probabilities.extent(0) / count.extent(0);
  const int32_t* counts = count.data<int32_t>();
  const float* from = probabilities.data<float>();
  float* to = out.data<float>();
  for (int64_t row = 0; row < probabilities.extent(0); ++row, from += classes + 1) {
    const bool there = row % per_image < counts[row / per_image];
    for (int64_t c = 0; c < classes; ++c) {
      const bool good = there && from[c] > static_cast<float>(threshold);
      *to++ = good ? from[c] : -std::numeric_limits<float>::infinity();
    }
  }
}

void class_groups(int64_t classes, const Tensor& out) {
  int32_t* to = out.data<int32_t>();
  for (int64_t i = 0; i < out.numel(); ++i) to[i] = static_cast<int32_t>(i % classes);
}

}  // namespace soma::cpu
