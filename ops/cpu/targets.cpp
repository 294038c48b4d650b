#include "ops/targets.h"

#include <algorithm>
#include <cmath>

namespace soma::cpu {

void flatten_index(const Tensor& index, int64_t stride, const Tensor& out) {
  const int64_t per_image = index.extent(1);
  const int32_t* from = index.data<int32_t>();
  int32_t* to = out.data<int32_t>();
  for (int64_t i = 0; i < index.numel(); ++i) {
    to[i] = from[i] < 0 ? -1 : static_cast<int32_t>(i / per_image * stride + from[i]);
  }
}

void split_index(const Tensor& index, int64_t divisor, const SplitIndex& out) {
  const int32_t* from = index.data<int32_t>();
  int32_t *quotient = out.quotient.data<int32_t>(), *remainder = out.remainder.data<int32_t>();
  for (int64_t i = 0; i < index.numel(); ++i) {
    quotient[i] = from[i] < 0 ? -1 : static_cast<int32_t>(from[i] / divisor);
    remainder[i] = from[i] < 0 ? -1 : static_cast<int32_t>(from[i] % divisor);
  }
}

void take(const Tensor& source, const Tensor& index, const Tensor& out) {
  const int32_t *from = source.data<int32_t>(), *row = index.data<int32_t>();
  int32_t* to = out.data<int32_t>();
  for (int64_t i = 0; i < index.numel(); ++i) to[i] = row[i] < 0 ? -1 : from[row[i]];
}

void count_at_least(const Tensor& label, int32_t least, const Tensor& out) {
  const int32_t* values = label.data<int32_t>();
  const int64_t count =
      std::count_if(values, values + label.numel(), [=](int32_t value) { return value >= least; });
  out.fill(static_cast<double>(std::max<int64_t>(count, 1)));
}

void roi_candidates(const Tensor& boxes, const Tensor& count, const GroundTruth& truth,
                    const RoiCandidates& out) {
  const int64_t proposals = boxes.extent(1), capacity = out.boxes.extent(1);
  const int32_t *counts = count.data<int32_t>(), *begin = truth.begin.data<int32_t>();
  for (int64_t n = 0; n < boxes.extent(0); ++n) {
    float* to = out.boxes.data<float>() + n * capacity * 4;
    int32_t* valid = out.valid.data<int32_t>() + n * capacity;
    const float* from = boxes.data<float>() + n * proposals * 4;
    std::copy_n(from, 4 * counts[n], to);
    std::fill_n(valid, counts[n], 1);
    const int64_t instances = begin[n + 1] - begin[n];
    std::copy_n(truth.boxes.data<float>() + 4 * begin[n], 4 * instances, to + 4 * proposals);
    std::fill_n(valid + proposals, instances, 1);
  }
}

void roi_samples(const RoiCandidates& candidates, const Matches& matches, const Samples& samples,
                 const GroundTruth& truth, int64_t classes, const RoiSamples& out) {
  const int64_t capacity = candidates.boxes.extent(1), per_image = samples.index.extent(1);
  const int32_t* index = samples.index.data<int32_t>();
  const int32_t *sampled = samples.label.data<int32_t>(),
                *matched = matches.matched.data<int32_t>();
  const float *boxes = candidates.boxes.data<float>(), *gt_boxes = truth.boxes.data<float>();
  for (int64_t i = 0; i < samples.index.numel(); ++i) {
    float* roi = out.rois.data<float>() + 5 * i;
    int32_t& label = out.label.data<int32_t>()[i];
    int32_t& row = out.matched.data<int32_t>()[i];
    roi[0] = -1, label = -1, row = -1;
    if (sampled[i] < 0) continue;
    const int64_t image = i / per_image, candidate = image * capacity + index[i];
    roi[0] = static_cast<float>(image);
    std::copy_n(boxes + 4 * candidate, 4, roi + 1);
    std::copy_n(boxes + 4 * candidate, 4, out.boxes.data<float>() + 4 * i);
    label = static_cast<int32_t>(classes);
    if (sampled[i] != 1) continue;
    out.positive.data<int32_t>()[i] = 1;
    row = matched[candidate];
    label = truth.label.data<int32_t>()[row];
    std::copy_n(gt_boxes + 4 * row, 4, out.matched_boxes.data<float>() + 4 * i);
  }
}

void boxes_to_rois(const Tensor& boxes, const Tensor& count, const Tensor& out) {
  const int64_t per_image = boxes.extent(1);
  const int32_t* counts = count.data<int32_t>();
  const float* from = boxes.data<float>();
  float* roi = out.data<float>();
  for (int64_t i = 0; i < out.extent(0); ++i, roi += 5, from += 4) {
    const int64_t image = i / per_image;
    roi[0] = i % per_image < counts[image] ? static_cast<float>(image) : -1.0f;
    std::copy_n(from, 4, roi + 1);
  }
}

void roi_levels(const Tensor& rois, const LevelSpec& spec, const Tensor& out) {
  const float* roi = rois.data<float>();
  int32_t* level = out.data<int32_t>();
  const auto canonical = static_cast<float>(spec.canonical);
  for (int64_t k = 0; k < rois.extent(0); ++k, roi += 5) {
    const float side = std::sqrt((roi[3] - roi[1]) * (roi[4] - roi[2]));
    const float ratio = side / canonical;
    const float raw = spec.eps_inside ? std::floor(4.0f + std::log2(ratio + 1e-8f))
                                      : std::floor(4.0f + std::log2(ratio) + 1e-6f);
    const auto highest = static_cast<float>(1 + spec.levels);
    // A RoI without a finite area is padding or empty: any level does.
    level[k] = std::isnan(raw) ? 0 : static_cast<int32_t>(std::clamp(raw, 2.0f, highest)) - 2;
  }
}

}  // namespace soma::cpu
