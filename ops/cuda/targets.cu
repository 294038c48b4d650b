// Rows, labels and counts put together: maps, and one count.
#include "ops/targets.h"

#include <cmath>

#include "ops/cuda/each.cuh"
#include "ops/cuda/reduce.cuh"

namespace soma::cuda {
namespace {

struct Flatten {
  const int32_t* index;
  int64_t per_image, stride;
  int32_t* out;
  __device__ void operator()(int64_t i) const {
    const int64_t flat = i / per_image * stride + index[i];
    out[i] = index[i] < 0 ? -1 : static_cast<int32_t>(flat);
  }
};

struct Split {
  const int32_t* index;
  int64_t divisor;
  int32_t *quotient, *remainder;
  __device__ void operator()(int64_t i) const {
    quotient[i] = index[i] < 0 ? -1 : static_cast<int32_t>(index[i] / divisor);
    remainder[i] = index[i] < 0 ? -1 : static_cast<int32_t>(index[i] % divisor);
  }
};

struct Take {
  const int32_t *source, *index;
  int32_t* out;
  __device__ void operator()(int64_t i) const { out[i] = index[i] < 0 ? -1 : source[index[i]]; }
};

struct AtLeast {
  const int32_t* label;
  int32_t least;
  __device__ double operator()(int64_t i) const { return label[i] >= least ? 1 : 0; }
};
template <class T>
struct AtLeastOne {
  T* out;
  __device__ void operator()(double count) const { out[0] = static_cast<T>(count > 1 ? count : 1); }
};

__device__ inline void copy_box(const float* from, float* to) {
  for (int c = 0; c < 4; ++c) to[c] = from[c];
}

struct Candidates {
  const float *boxes, *gt_boxes;
  const int32_t *count, *begin;
  int64_t proposals, capacity;
  float* out;
  int32_t* valid;
  __device__ void operator()(int64_t i) const {
    const int64_t image = i / capacity, place = i % capacity, truth = place - proposals;
    const bool proposed = place < count[image];
    const bool given = truth >= 0 && truth < begin[image + 1] - begin[image];
    if (proposed) copy_box(boxes + 4 * (image * proposals + place), out + 4 * i);
    if (given) copy_box(gt_boxes + 4 * (begin[image] + truth), out + 4 * i);
    valid[i] = proposed || given ? 1 : 0;
  }
};

struct Sampled {
  const int32_t *index, *sampled, *matched, *gt_label;
  const float *boxes, *gt_boxes;
  int64_t capacity, per_image;
  int32_t classes;
  float *rois, *out_boxes, *matched_boxes;
  int32_t *positive, *label, *row;

  __device__ void operator()(int64_t i) const {
    rois[5 * i] = -1;
    label[i] = row[i] = -1;
    if (sampled[i] < 0) return;
    const int64_t image = i / per_image, candidate = image * capacity + index[i];
    rois[5 * i] = static_cast<float>(image);
    copy_box(boxes + 4 * candidate, rois + 5 * i + 1);
    copy_box(boxes + 4 * candidate, out_boxes + 4 * i);
    label[i] = classes;
    if (sampled[i] != 1) return;
    const int32_t truth = matched[candidate];
    positive[i] = 1;
    row[i] = truth;
    label[i] = gt_label[truth];
    copy_box(gt_boxes + 4 * int64_t{truth}, matched_boxes + 4 * i);
  }
};

struct ToRois {
  const float* boxes;
  const int32_t* count;
  int64_t per_image;
  float* rois;
  __device__ void operator()(int64_t i) const {
    const int64_t image = i / per_image;
    rois[5 * i] = i % per_image < count[image] ? static_cast<float>(image) : -1.0f;
    copy_box(boxes + 4 * i, rois + 5 * i + 1);
  }
};

struct Levels {
  const float* rois;
  float canonical;
  int levels;
  bool eps_inside;
  int32_t* out;
  __device__ void operator()(int64_t k) const {
    const float* roi = rois + 5 * k;
    const float ratio = std::sqrt((roi[3] - roi[1]) * (roi[4] - roi[2])) / canonical;
    const float raw = eps_inside ? std::floor(4.0f + std::log2(ratio + 1e-8f))
                                 : std::floor(4.0f + std::log2(ratio) + 1e-6f);
    const auto highest = static_cast<float>(1 + levels);
    const float level = raw < 2 ? 2.0f : raw > highest ? highest : raw;
    // A RoI without a finite area is padding or empty: any level does.
    out[k] = raw != raw ? 0 : static_cast<int32_t>(level) - 2;
  }
};

}  // namespace

void flatten_index(const Tensor& index, int64_t stride, const Tensor& out) {
  each(index.numel(), Flatten{index.data<int32_t>(), index.extent(1), stride, out.data<int32_t>()});
}

void split_index(const Tensor& index, int64_t divisor, const SplitIndex& out) {
  each(index.numel(), Split{index.data<int32_t>(), divisor, out.quotient.data<int32_t>(),
                            out.remainder.data<int32_t>()});
}

void take(const Tensor& source, const Tensor& index, const Tensor& out) {
  each(index.numel(), Take{source.data<int32_t>(), index.data<int32_t>(), out.data<int32_t>()});
}

void count_at_least(const Tensor& label, int32_t least, const Tensor& out) {
  with_float(out.dtype(), "count_at_least", [&](auto type) {
    using T = decltype(type);
    sum_of(label.numel(), AtLeast{label.data<int32_t>(), least}, AtLeastOne<T>{out.data<T>()});
  });
}

void roi_candidates(const Tensor& boxes, const Tensor& count, const GroundTruth& truth,
                    const RoiCandidates& out) {
  each(out.valid.numel(),
       Candidates{boxes.data<float>(), truth.boxes.data<float>(), count.data<int32_t>(),
                  truth.begin.data<int32_t>(), boxes.extent(1), out.boxes.extent(1),
                  out.boxes.data<float>(), out.valid.data<int32_t>()});
}

void roi_samples(const RoiCandidates& candidates, const Matches& matches, const Samples& samples,
                 const GroundTruth& truth, int64_t classes, const RoiSamples& out) {
  each(samples.index.numel(),
       Sampled{samples.index.data<int32_t>(), samples.label.data<int32_t>(),
               matches.matched.data<int32_t>(), truth.label.data<int32_t>(),
               candidates.boxes.data<float>(), truth.boxes.data<float>(),
               candidates.boxes.extent(1), samples.index.extent(1), static_cast<int32_t>(classes),
               out.rois.data<float>(), out.boxes.data<float>(), out.matched_boxes.data<float>(),
               out.positive.data<int32_t>(), out.label.data<int32_t>(),
               out.matched.data<int32_t>()});
}

void boxes_to_rois(const Tensor& boxes, const Tensor& count, const Tensor& out) {
  each(out.extent(0),
       ToRois{boxes.data<float>(), count.data<int32_t>(), boxes.extent(1), out.data<float>()});
}

void roi_levels(const Tensor& rois, const LevelSpec& spec, const Tensor& out) {
  each(rois.extent(0), Levels{rois.data<float>(), static_cast<float>(spec.canonical), spec.levels,
                              spec.eps_inside, out.data<int32_t>()});
}

}  // namespace soma::cuda
