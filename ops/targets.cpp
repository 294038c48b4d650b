#include "ops/targets.h"

#include <algorithm>

#include "ops/dispatch.h"

namespace soma {
namespace {

// An image's instances are at most these. On a device the counts are not read back: all of them
// could be one image's. (The rows too many are padding; the sample is the same.)
int64_t most_instances(const GroundTruth& truth) {
  if (truth.begin.device() != Device::cpu) return truth.boxes.extent(0);
  const int32_t* begin = truth.begin.data<int32_t>();
  int64_t most = 0;
  for (int64_t n = 0; n + 1 < truth.begin.extent(0); ++n) {
    most = std::max<int64_t>(most, begin[n + 1] - begin[n]);
  }
  return most;
}

}  // namespace

Tensor flatten_index(const Tensor& index, int64_t stride) {
  const Tensor out = Tensor::empty({index.numel()}, DType::i32, index.device());
  run<cpu::flatten_index, cuda::flatten_index>("flatten_index", index.device(), index, stride, out);
  return out;
}

SplitIndex split_index(const Tensor& index, int64_t divisor) {
  const SplitIndex out{Tensor::empty_like(index), Tensor::empty_like(index)};
  run<cpu::split_index, cuda::split_index>("split_index", index.device(), index, divisor, out);
  return out;
}

Tensor take(const Tensor& source, const Tensor& index) {
  const Tensor out = Tensor::empty(index.shape(), DType::i32, index.device());
  run<cpu::take, cuda::take>("take", index.device(), source, index, out);
  return out;
}

Tensor count_at_least(const Tensor& label, int32_t least, DType dtype) {
  const Tensor out = Tensor::empty({}, dtype, label.device());
  run<cpu::count_at_least, cuda::count_at_least>("count_at_least", label.device(), label, least,
                                                 out);
  return out;
}

RoiCandidates roi_candidates(const Tensor& boxes, const Tensor& count, const GroundTruth& truth) {
  const int64_t images = boxes.extent(0), capacity = boxes.extent(1) + most_instances(truth);
  const RoiCandidates out{Tensor::zeros({images, capacity, 4}, DType::f32, boxes.device()),
                          Tensor::zeros({images, capacity}, DType::i32, boxes.device())};
  run<cpu::roi_candidates, cuda::roi_candidates>("roi_candidates", boxes.device(), boxes, count,
                                                 truth, out);
  return out;
}

RoiSamples roi_samples(const RoiCandidates& candidates, const Matches& matches,
                       const Samples& samples, const GroundTruth& truth, int64_t classes) {
  const int64_t rows = samples.index.numel();
  const Device device = candidates.boxes.device();
  const RoiSamples out{
      Tensor::zeros({rows, 5}, DType::f32, device), Tensor::zeros({rows, 4}, DType::f32, device),
      Tensor::zeros({rows}, DType::i32, device),    Tensor::empty({rows}, DType::i32, device),
      Tensor::empty({rows}, DType::i32, device),    Tensor::zeros({rows, 4}, DType::f32, device)};
  run<cpu::roi_samples, cuda::roi_samples>("roi_samples", device, candidates, matches, samples,
                                           truth, classes, out);
  return out;
}

Tensor boxes_to_rois(const Tensor& boxes, const Tensor& count) {
  const Tensor out =
      Tensor::empty({boxes.extent(0) * boxes.extent(1), 5}, DType::f32, boxes.device());
  run<cpu::boxes_to_rois, cuda::boxes_to_rois>("boxes_to_rois", boxes.device(), boxes, count, out);
  return out;
}

Tensor roi_levels(const Tensor& rois, const LevelSpec& spec) {
  const Tensor out = Tensor::empty({rois.extent(0)}, DType::i32, rois.device());
  run<cpu::roi_levels, cuda::roi_levels>("roi_levels", rois.device(), rois, spec, out);
  return out;
}

}  // namespace soma
