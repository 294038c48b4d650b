// RoIAlign, a thread per pooled value (neighbours on neighbouring channels). The gradient scatters
// with atomics: where RoIs overlap, the order of addition, and so the last bits, may differ from
// run to run. A RoI on an image or level that is not there counts as padding.
#include "ops/roi_align.h"

#include "ops/cuda/each.cuh"
#include "ops/math/bilinear.h"
#include "ops/math/roi.h"

namespace soma::cuda {
namespace {

constexpr size_t kMaxLevels = 8;

template <class T>
struct Level {
  T* map;  // null: no gradient is wanted
  int32_t height, width;
  T scale;
};

template <class T>
struct Pooling {
  Level<T> level[kMaxLevels];
  int32_t levels;
  int64_t images, channels;
  const float* rois;
  const int32_t* level_of;
  RoiGrid grid;
};

// One bin of one RoI: its map and samples.
template <class T>
struct Bin {
  const Level<T>* level;
  int64_t base;  // element of the image's first cell
  RoiAxis<T> y, x;
  int32_t row, column;

  __device__ T samples() const {
    const T count = static_cast<T>(y.samples) * static_cast<T>(x.samples);
    return count > 1 ? count : T{1};
  }
};

// The bin of pooled value `i`; false where it is padding.
template <class T>
__device__ inline bool find_bin(const Pooling<T>& p, int64_t i, Bin<T>& bin) {
  const int64_t place = i / p.channels, roi = place / (p.grid.bins * p.grid.bins);
  const float* row = p.rois + 5 * roi;
  const int32_t level = p.level_of[roi];
  if (!(row[0] >= 0) || row[0] >= static_cast<float>(p.images)) return false;
  if (level < 0 || level >= p.levels) return false;
  const Level<T>& on = p.level[level];
  bin.level = &on;
  bin.base = static_cast<int64_t>(row[0]) * on.height * on.width;
  bin.y = roi_axis(row[2], row[4], on.scale, p.grid);
  bin.x = roi_axis(row[1], row[3], on.scale, p.grid);
  bin.row = static_cast<int32_t>(place / p.grid.bins % p.grid.bins);
  bin.column = static_cast<int32_t>(place % p.grid.bins);
  return true;
}

// Calls visit(cell, weight) for every cell that a sample of the bin reads; cell counts from the
// first image's first.
template <class T, class Visit>
__device__ inline void for_cells(const Bin<T>& bin, Visit visit) {
  const Level<T>& on = *bin.level;
  const SampleRange rows = roi_sample_range(bin.y, bin.row, on.height);
  const SampleRange columns = roi_sample_range(bin.x, bin.column, on.width);
  for (int32_t sy = rows.first; sy < rows.last; ++sy) {
    const LinearTap<T> y = linear_tap(roi_sample(bin.y, bin.row, sy), on.height);
    if (!y.inside) continue;
    for (int32_t sx = columns.first; sx < columns.last; ++sx) {
      const LinearTap<T> x = linear_tap(roi_sample(bin.x, bin.column, sx), on.width);
      if (!x.inside) continue;
      const int64_t low = bin.base + int64_t{y.low} * on.width;
      const int64_t high = bin.base + int64_t{y.high} * on.width;
      visit(low + x.low, y.weight_low * x.weight_low);
      if (x.weight_high != 0) visit(low + x.high, y.weight_low * x.weight_high);
      if (y.weight_high == 0) continue;
      visit(high + x.low, y.weight_high * x.weight_low);
      if (x.weight_high != 0) visit(high + x.high, y.weight_high * x.weight_high);
    }
  }
}

template <class T>
struct Forward {
  Pooling<T> p;
  T* out;
  __device__ void operator()(int64_t i) const {
    Bin<T> bin;
    T total = 0;
    if (find_bin(p, i, bin)) {
      const T* map = bin.level->map + i % p.channels;
      for_cells(bin, [&](int64_t cell, T weight) { total += weight * map[cell * p.channels]; });
      total /= bin.samples();
    }
    out[i] = total;
  }
};

template <class T>
struct Backward {
  Pooling<T> p;
  const T* grad;
  __device__ void operator()(int64_t i) const {
    Bin<T> bin;
    if (!find_bin(p, i, bin) || bin.level->map == nullptr) return;
    T* map = bin.level->map + i % p.channels;
    const T share = grad[i] / bin.samples();
    for_cells(bin,
              [&](int64_t cell, T weight) { atomicAdd(map + cell * p.channels, weight * share); });
  }
};

template <class T>
Pooling<T> pooling(const std::vector<Tensor>& maps, const std::vector<double>& scales,
                   const Tensor& rois, const Tensor& level, const RoiAlignSpec& spec) {
  check(maps.size() <= kMaxLevels, "roi_align", "at most ", kMaxLevels, " levels on cuda, got ",
        maps.size());
  Pooling<T> p = {};
  p.levels = static_cast<int32_t>(maps.size());
  for (size_t l = 0; l < maps.size(); ++l) {
    p.level[l].scale = static_cast<T>(scales[l]);
    if (!maps[l].defined()) continue;
    p.level[l].map = maps[l].data<T>();
    p.level[l].height = static_cast<int32_t>(maps[l].extent(1));
    p.level[l].width = static_cast<int32_t>(maps[l].extent(2));
    p.images = maps[l].extent(0);
    p.channels = maps[l].extent(3);
  }
  p.rois = rois.data<float>();
  p.level_of = level.data<int32_t>();
  p.grid = {spec.size, spec.sampling_ratio, spec.aligned};
  return p;
}

}  // namespace

void roi_align_forward(const std::vector<Tensor>& features, const std::vector<double>& scales,
                       const Tensor& rois, const Tensor& level, const RoiAlignSpec& spec,
                       const Tensor& out) {
  with_float(out.dtype(), "roi_align", [&](auto type) {
    using T = decltype(type);
    each(out.numel(), Forward<T>{pooling<T>(features, scales, rois, level, spec), out.data<T>()});
  });
}

void roi_align_backward(const Tensor& grad, const std::vector<double>& scales, const Tensor& rois,
                        const Tensor& level, const RoiAlignSpec& spec,
                        const std::vector<Tensor>& grad_features) {
  with_float(grad.dtype(), "roi_align", [&](auto type) {
    using T = decltype(type);
    each(grad.numel(),
         Backward<T>{pooling<T>(grad_features, scales, rois, level, spec), grad.data<T>()});
  });
}

}  // namespace soma::cuda
