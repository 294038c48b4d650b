// RoIAlign over NHWC maps. Forward: RoIs in parallel. Gradient: bands of rows of the maps in
// parallel, each adding its RoIs in ascending order, so that no two threads write one cell and
// every cell's sum has one order.
#include "ops/roi_align.h"

#include <cmath>
#include <cstring>

#include "base/parallel.h"
#include "ops/cpu/axis_weights.h"
#include "ops/cpu/roi_align_kernel.h"

namespace soma::cpu {
namespace {

constexpr int64_t kRoisPerTask = 8;
constexpr int64_t kBandRows = 8;

template <class T>
void sum_up(const SeparableSum<T>& sum) {
  with_isa([&](auto isa) { separable_sum<decltype(isa)::value>(sum); });
}

// RoI rows (image, x1, y1, x2, y2) and how they are cut.
template <class T>
struct Rois {
  const float* rows;
  const int32_t* level;
  RoiGrid grid;
  std::vector<T> scales;

  bool padding(int64_t k) const { return !(rows[5 * k] >= 0); }
  int64_t image(int64_t k) const { return static_cast<int64_t>(rows[5 * k]); }
  RoiAxis<T> x_axis(int64_t k) const { return axis(k, 1); }
  RoiAxis<T> y_axis(int64_t k) const { return axis(k, 2); }

 private:
  RoiAxis<T> axis(int64_t k, int from) const {
    const float* row = rows + 5 * k;
    return roi_axis(row[from], row[from + 2], scales[static_cast<size_t>(level[k])], grid);
  }
};

template <class T>
Rois<T> rois_of(const Tensor& rois, const Tensor& level, const std::vector<double>& scales,
                const RoiAlignSpec& spec) {
  Rois<T> result = {rois.data<float>(),
                    level.data<int32_t>(),
                    {spec.size, spec.sampling_ratio, spec.aligned},
                    {}};
  for (const double scale : scales) result.scales.push_back(static_cast<T>(scale));
  return result;
}

// The weights of one RoI; rows carry the division by the number of samples.
template <class T>
struct RoiWeights {
  AxisWeights<T> rows, columns;

  void build(const Rois<T>& rois, int64_t k, int64_t height, int64_t width) {
    const RoiAxis<T> y = rois.y_axis(k), x = rois.x_axis(k);
    const T count = static_cast<T>(y.samples) * static_cast<T>(x.samples);
    rows.build(y, rois.grid.bins, height, 1 / std::max(count, T{1}));
    columns.build(x, rois.grid.bins, width, 1);
  }
};

template <class T>
void forward(const std::vector<Tensor>& features, const Rois<T>& rois, const Tensor& out) {
  const int64_t channels = out.extent(3), bins = out.extent(1);
  const int64_t roi_size = bins * bins * channels;
  parallel_chunks(out.extent(0), kRoisPerTask, [&](int64_t first, int64_t last) {
    RoiWeights<T> weights;
    for (int64_t k = first; k < last; ++k) {
      T* pooled = out.data<T>() + k * roi_size;
      if (rois.padding(k)) {
        std::fill(pooled, pooled + roi_size, T{0});
        continue;
      }
      const Tensor& map = features[static_cast<size_t>(rois.level[k])];
      const int64_t height = map.extent(1), width = map.extent(2);
      weights.build(rois, k, height, width);
      const T* image = map.data<T>() + rois.image(k) * height * width * channels;
      sum_up<T>({weights.rows.rows(), weights.columns.rows(), image, pooled, width * channels,
                 bins * channels, channels, false});
    }
  });
}

// The RoIs by (level, image), ascending within each.
template <class T>
std::vector<std::vector<int32_t>> buckets_of(const Rois<T>& rois, int64_t count, int64_t images,
                                             size_t levels) {
  std::vector<std::vector<int32_t>> buckets(levels * static_cast<size_t>(images));
  for (int64_t k = 0; k < count; ++k) {
    if (rois.padding(k)) continue;
    buckets[static_cast<size_t>(rois.level[k] * images + rois.image(k))].push_back(
        static_cast<int32_t>(k));
  }
  return buckets;
}

// Rows [first, last) of one image of one map.
struct Band {
  int64_t level, image, first, last;
};

std::vector<Band> bands_of(const std::vector<Tensor>& maps) {
  std::vector<Band> bands;
  for (size_t level = 0; level < maps.size(); ++level) {
    if (!maps[level].defined()) continue;
    const int64_t height = maps[level].extent(1);
    for (int64_t image = 0; image < maps[level].extent(0); ++image) {
      for (int64_t row = 0; row < height; row += kBandRows) {
        bands.push_back(
            {static_cast<int64_t>(level), image, row, std::min(row + kBandRows, height)});
      }
    }
  }
  return bands;
}

// False only if no sample of the axis can touch the cells [first, last) of `extent`.
template <class T>
bool may_touch(const RoiAxis<T>& axis, int bins, int64_t first, int64_t last, int64_t extent) {
  const T end = axis.start + static_cast<T>(bins) * axis.bin, top = static_cast<T>(extent - 1);
  const T low = std::clamp(std::min(axis.start, end) - 2, T{0}, top);
  const T high = std::clamp(std::max(axis.start, end) + 2, T{0}, top);
  return !(low >= static_cast<T>(last) || high < static_cast<T>(first));
}

// Scratch of one task.
template <class T>
struct BandWeights {
  RoiWeights<T> forward;
  AxisWeights<T> rows, columns;
};

// Adds the gradient of RoI k to the rows of the band, which start at `out`.
template <class T>
void add_roi(const Tensor& grad, const Rois<T>& rois, int64_t k, const Band& band,
             const Tensor& map, BandWeights<T>& weights, T* out) {
  const int64_t height = map.extent(1), width = map.extent(2), channels = map.extent(3);
  const int bins = rois.grid.bins;
  if (!may_touch(rois.y_axis(k), bins, band.first, band.last, height)) return;
  weights.forward.build(rois, k, height, width);
  if (weights.forward.rows.empty() || weights.forward.columns.empty()) return;
  const int64_t left = weights.forward.columns.lowest();
  weights.rows.transpose(weights.forward.rows, band.first, band.last);
  weights.columns.transpose(weights.forward.columns, left, weights.forward.columns.beyond());
  sum_up<T>({weights.rows.rows(), weights.columns.rows(),
             grad.data<T>() + k * bins * bins * channels, out + left * channels, bins * channels,
             width * channels, channels, true});
}

template <class T>
void backward(const Tensor& grad, const Rois<T>& rois, const std::vector<Tensor>& maps) {
  const std::vector<Band> bands = bands_of(maps);
  if (bands.empty()) return;
  const int64_t images = maps[static_cast<size_t>(bands.front().level)].extent(0);
  const auto buckets = buckets_of(rois, grad.extent(0), images, maps.size());
  parallel_for(static_cast<int64_t>(bands.size()), [&](int64_t task) {
    const Band& band = bands[static_cast<size_t>(task)];
    const Tensor& map = maps[static_cast<size_t>(band.level)];
    const int64_t row_size = map.extent(2) * map.extent(3);
    T* out = map.data<T>() + (band.image * map.extent(1) + band.first) * row_size;
    BandWeights<T> weights;
    for (const int32_t k : buckets[static_cast<size_t>(band.level * images + band.image)]) {
      add_roi(grad, rois, k, band, map, weights, out);
    }
  });
}

}  // namespace

void roi_align_forward(const std::vector<Tensor>& features, const std::vector<double>& scales,
                       const Tensor& rois, const Tensor& level, const RoiAlignSpec& spec,
                       const Tensor& out) {
  with_float(out.dtype(), "roi_align", [&](auto type) {
    using T = decltype(type);
    forward<T>(features, rois_of<T>(rois, level, scales, spec), out);
  });
}

void roi_align_backward(const Tensor& grad, const std::vector<double>& scales, const Tensor& rois,
                        const Tensor& level, const RoiAlignSpec& spec,
                        const std::vector<Tensor>& grad_features) {
  with_float(grad.dtype(), "roi_align", [&](auto type) {
    using T = decltype(type);
    backward<T>(grad, rois_of<T>(rois, level, scales, spec), grad_features);
  });
}

}  // namespace soma::cpu
