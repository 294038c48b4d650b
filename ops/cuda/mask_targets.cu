// Mask targets, a thread per cell of a RoI's grid: every sample of the cell reads the mask's crop.
#include "ops/mask_targets.h"

#include "ops/cuda/each.cuh"
#include "ops/math/bilinear.h"
#include "ops/math/roi.h"

namespace soma::cuda {
namespace {

struct Masks {
  const uint8_t* bits;
  const int64_t* offset;
  const int32_t* crop;
  int64_t total, masks;

  // Whether the mask is 1 at a pixel of its image; 0 beyond its crop.
  __device__ double at(int64_t mask, int64_t y, int64_t x) const {
    const int32_t* window = crop + 4 * mask;
    const int64_t row = y - window[1], column = x - window[0];
    if (row < 0 || row >= window[3] || column < 0 || column >= window[2]) return 0;
    const int64_t place = offset[mask] + row * window[2] + column;
    return place >= 0 && place < total && bits[place] != 0 ? 1 : 0;
  }
};

struct Resample {
  Masks masks;
  const float* rois;
  const int32_t *matched, *image_size;
  int64_t images;
  RoiGrid grid;
  bool threshold;
  float* out;

  __device__ void operator()(int64_t i) const {
    const int64_t cells = int64_t{grid.bins} * grid.bins, k = i / cells, mask = matched[k];
    const float* roi = rois + 5 * k;
    const bool there =
        roi[0] >= 0 && roi[0] < static_cast<float>(images) && mask >= 0 && mask < masks.masks;
    out[i] = there ? value(roi, mask, static_cast<int32_t>(i % cells)) : -1.0f;
  }

  __device__ float value(const float* roi, int64_t mask, int32_t cell) const {
    const int32_t* size = image_size + 2 * static_cast<int64_t>(roi[0]);
    const RoiAxis<float> y = roi_axis(roi[2], roi[4], 1.0f, grid);
    const RoiAxis<float> x = roi_axis(roi[1], roi[3], 1.0f, grid);
    const int32_t row = cell / grid.bins, column = cell % grid.bins;
    const SampleRange rows = roi_sample_range(y, row, size[0]);
    const SampleRange columns = roi_sample_range(x, column, size[1]);
    double total = 0;
    for (int32_t sy = rows.first; sy < rows.last; ++sy) {
      const LinearTap<float> down = linear_tap(roi_sample(y, row, sy), size[0]);
      for (int32_t sx = columns.first; sx < columns.last && down.inside; ++sx) {
        const LinearTap<float> right = linear_tap(roi_sample(x, column, sx), size[1]);
        if (!right.inside) continue;
        total += static_cast<double>(down.weight_low) * across(mask, down.low, right) +
                 static_cast<double>(down.weight_high) * across(mask, down.high, right);
      }
    }
    const double count = static_cast<double>(y.samples) * x.samples;
    const auto soft = static_cast<float>(total / (count > 1 ? count : 1));
    return !threshold ? soft : soft >= 0.5f ? 1.0f : 0.0f;
  }

  __device__ double across(int64_t mask, int32_t row, const LinearTap<float>& tap) const {
    return static_cast<double>(tap.weight_low) * masks.at(mask, row, tap.low) +
           static_cast<double>(tap.weight_high) * masks.at(mask, row, tap.high);
  }
};

}  // namespace

void mask_targets(const MaskPool& pool, const Tensor& rois, const Tensor& matched,
                  const Tensor& image_size, const MaskTargetSpec& spec, const Tensor& out) {
  const Masks masks = {pool.bits.data<uint8_t>(), pool.offset.data<int64_t>(),
                       pool.crop.data<int32_t>(), pool.bits.numel(), pool.crop.extent(0)};
  each(out.numel(), Resample{masks,
                             rois.data<float>(),
                             matched.data<int32_t>(),
                             image_size.data<int32_t>(),
                             image_size.extent(0),
                             {spec.size, 0, spec.aligned},
                             spec.threshold,
                             out.data<float>()});
}

}  // namespace soma::cuda
