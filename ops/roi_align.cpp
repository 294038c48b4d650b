#include "ops/roi_align.h"

#include <limits>

#include "ops/dispatch.h"

namespace soma {
namespace {

void check_features(const std::vector<Variable>& features, const std::vector<double>& scales) {
  check(!features.empty() && features.size() == scales.size(), "roi_align",
        "needs one scale per feature map, got ", scales.size(), " for ", features.size());
  const Variable& first = features.front();
  for (const Variable& map : features) {
    check(map.value().rank() == 4 && map.dtype() == first.dtype() &&
              map.extent(0) == first.extent(0) && map.extent(3) == first.extent(3),
          "roi_align", "features must be [N, H, W, C] of one N, C and type, got ",
          name_of(first.dtype()), first.shape(), " and ", name_of(map.dtype()), map.shape());
    check(map.extent(1) < std::numeric_limits<int32_t>::max() &&
              map.extent(2) < std::numeric_limits<int32_t>::max(),
          "roi_align", "a map of ", map.shape(), " is too large");
  }
  for (const double scale : scales) check(scale > 0, "roi_align", "scales must be > 0");
}

// On the CPU only: a device's values are not read back. Its kernel takes such rows as padding.
void check_rows(const Tensor& rois, const Tensor& level, int64_t images, size_t levels) {
  const float* roi = rois.data<float>();
  const int32_t* of = level.data<int32_t>();
  for (int64_t k = 0; k < rois.extent(0); ++k) {
    const float image = roi[5 * k];
    if (!(image >= 0)) continue;
    check(image < static_cast<float>(images), "roi_align", "RoI ", k, " is on image ", image,
          " of ", images);
    check(of[k] >= 0 && of[k] < static_cast<int64_t>(levels), "roi_align", "RoI ", k,
          " is on level ", of[k], " of ", levels);
  }
}

void check_rois(const Tensor& rois, const Tensor& level, const RoiAlignSpec& spec) {
  check(rois.dtype() == DType::f32 && rois.rank() == 2 && rois.extent(1) == 5, "roi_align",
        "rois must be f32[K, 5], got ", name_of(rois.dtype()), rois.shape());
  check(level.dtype() == DType::i32 && level.shape() == Shape{rois.extent(0)}, "roi_align",
        "level must be i32[", rois.extent(0), "], got ", name_of(level.dtype()), level.shape());
  check(spec.size >= 1 && spec.size <= 1024, "roi_align", "size must be 1 to 1024, got ",
        spec.size);
  check(spec.sampling_ratio >= 0 && spec.sampling_ratio <= 1024, "roi_align",
        "sampling_ratio must be 0 to 1024, got ", spec.sampling_ratio);
}

}  // namespace

Variable roi_align(const std::vector<Variable>& features, const std::vector<double>& scales,
                   const Tensor& rois, const Tensor& level, const RoiAlignSpec& spec) {
  check_features(features, scales);
  check_rois(rois, level, spec);
  const Tensor first = features.front().value();
  if (rois.device() == Device::cpu) check_rows(rois, level, first.extent(0), features.size());
  std::vector<Tensor> maps;
  for (const Variable& map : features) maps.push_back(map.value());
  const Tensor out = Tensor::empty({rois.extent(0), spec.size, spec.size, first.extent(3)},
                                   first.dtype(), first.device());
  run<cpu::roi_align_forward, cuda::roi_align_forward>("roi_align", out.device(), maps, scales,
                                                       rois, level, spec, out);
  return record_adding(
      "roi_align", out, features,
      [scales, rois, level, spec](const Tensor& grad, const std::vector<Tensor>& sums) {
        run<cpu::roi_align_backward, cuda::roi_align_backward>(
            "roi_align backward", grad.device(), grad, scales, rois, level, spec, sums);
      });
}

}  // namespace soma
