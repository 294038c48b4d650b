#include "ops/filter_boxes.h"

#include "ops/cuda/each.cuh"

namespace soma::cuda {
namespace {

constexpr float kInfinity = __builtin_inff();

__device__ inline bool is_finite(float value) { return value - value == 0; }

struct Filter {
  float *boxes, *scores;
  const int32_t* image_size;
  int64_t per_image;
  FilterSpec spec;

  // The boxes that stay or go together.
  __device__ void operator()(int64_t group) const {
    const int64_t first = group * spec.together, last = first + spec.together;
    bool whole = true;
    for (int64_t i = 4 * first; i < 4 * last; ++i) whole = whole && is_finite(boxes[i]);
    for (int64_t i = first; i < last; ++i) filter(i, whole);
  }

  __device__ void filter(int64_t i, bool whole) const {
    const int32_t* size = image_size + 2 * (i / per_image);
    float* box = boxes + 4 * i;
    bool good = whole && is_finite(scores[i]);
    for (int c = 0; c < 4; ++c) {
      const auto limit = static_cast<float>(size[c % 2 == 0 ? 1 : 0]);
      box[c] = box[c] > 0 ? box[c] < limit ? box[c] : limit : 0.0f;  // NaN becomes 0
    }
    const float width = box[2] - box[0], height = box[3] - box[1];
    const double side = static_cast<double>(height < width ? height : width);
    good = good && (spec.strict ? side > spec.min_side : side >= spec.min_side);
    if (!good) scores[i] = -kInfinity;
  }
};

struct ClassScores {
  const float* probabilities;
  const int32_t* count;
  int64_t per_image, classes;
  float threshold;
  float* out;
  __device__ void operator()(int64_t i) const {
    const int64_t row = i / classes;
    const float score = probabilities[row * (classes + 1) + i % classes];
    const bool good = row % per_image < count[row / per_image] && score > threshold;
    out[i] = good ? score : -kInfinity;
  }
};

struct ClassGroups {
  int64_t classes;
  int32_t* out;
  __device__ void operator()(int64_t i) const { out[i] = static_cast<int32_t>(i % classes); }
};

}  // namespace

void filter_boxes(const Tensor& boxes, const Tensor& scores, const Tensor& image_size,
                  const FilterSpec& spec) {
  each(scores.numel() / spec.together, Filter{boxes.data<float>(), scores.data<float>(),
                                              image_size.data<int32_t>(), boxes.extent(1), spec});
}

void class_scores(const Tensor& probabilities, const Tensor& count, double threshold,
                  const Tensor& out) {
  each(out.numel(),
       ClassScores{probabilities.data<float>(), count.data<int32_t>(),
                   probabilities.extent(0) / count.extent(0), probabilities.extent(1) - 1,
                   static_cast<float>(threshold), out.data<float>()});
}

void class_groups(int64_t classes, const Tensor& out) {
  each(out.numel(), ClassGroups{classes, out.data<int32_t>()});
}

}  // namespace soma::cuda
