// Mask targets: RoIs in parallel; of each, only the rows and columns inside the mask's crop are
// read: a row is summed over its columns once, then added to the bins that its row weighs in.
#include "ops/mask_targets.h"

#include "base/parallel.h"
#include "ops/cpu/axis_weights.h"

namespace soma::cpu {
namespace {

// A 0/1 mask that is 0 outside its window.
struct Crop {
  const uint8_t* bits;
  int64_t x, y, width, height;
};

Crop crop_of(const MaskPool& pool, int64_t mask) {
  const int32_t* window = pool.crop.data<int32_t>() + 4 * mask;
  return {pool.bits.data<uint8_t>() + pool.offset.data<int64_t>()[mask], window[0], window[1],
          window[2], window[3]};
}

// Scratch of one task.
struct Weights {
  AxisWeights<double> rows, columns, rows_of_cells;
  std::vector<double> row, bins;
};

// row[b] = the weighted sum of the line's pixels in bin b.
void sum_line(const Crop& crop, const uint8_t* line, const SparseRows<double>& columns,
              std::vector<double>& row) {
  for (int64_t bin = 0; bin < columns.count; ++bin) {
    double total = 0;
    for (int32_t i = columns.begin[bin]; i < columns.begin[bin + 1]; ++i) {
      const int64_t x = columns.index[i] - crop.x;
      if (x >= 0 && x < crop.width && line[x] != 0) total += columns.weight[i];
    }
    row[static_cast<size_t>(bin)] = total;
  }
}

// weights.bins = sums over the samples of each bin.
void sum_bins(const Crop& crop, int64_t size, Weights& weights) {
  weights.bins.assign(static_cast<size_t>(size * size), 0.0);
  weights.row.resize(static_cast<size_t>(size));
  if (weights.rows.empty()) return;
  const int64_t first = std::max(weights.rows.lowest(), crop.y);
  const int64_t last = std::min(weights.rows.beyond(), crop.y + crop.height);
  if (first >= last) return;
  weights.rows_of_cells.transpose(weights.rows, first, last);
  const SparseRows<double> cells = weights.rows_of_cells.rows(), columns = weights.columns.rows();
  for (int64_t y = first; y < last; ++y) {
    const int32_t *begin = cells.begin + (y - first), *end = begin + 1;
    if (*begin == *end) continue;
    sum_line(crop, crop.bits + (y - crop.y) * crop.width, columns, weights.row);
    for (int32_t i = *begin; i < *end; ++i) {
      double* bins = weights.bins.data() + cells.index[i] * size;
      for (int64_t b = 0; b < size; ++b) {
        bins[b] += cells.weight[i] * weights.row[static_cast<size_t>(b)];
      }
    }
  }
}

}  // namespace

void mask_targets(const MaskPool& pool, const Tensor& rois, const Tensor& matched,
                  const Tensor& image_size, const MaskTargetSpec& spec, const Tensor& out) {
  const int64_t cells = int64_t{spec.size} * spec.size;
  const RoiGrid grid = {spec.size, 0, spec.aligned};
  parallel_chunks(rois.extent(0), 4, [&](int64_t begin, int64_t end) {
    Weights weights;
    for (int64_t k = begin; k < end; ++k) {
      const float* roi = rois.data<float>() + 5 * k;
      const int32_t mask = matched.data<int32_t>()[k];
      float* target = out.data<float>() + k * cells;
      if (!(roi[0] >= 0) || mask < 0) {
        std::fill(target, target + cells, -1.0f);
        continue;
      }
      const int32_t* size = image_size.data<int32_t>() + 2 * static_cast<int64_t>(roi[0]);
      const RoiAxis<float> y = roi_axis(roi[2], roi[4], 1.0f, grid);
      const RoiAxis<float> x = roi_axis(roi[1], roi[3], 1.0f, grid);
      weights.rows.build(y, spec.size, size[0], 1);
      weights.columns.build(x, spec.size, size[1], 1);
      sum_bins(crop_of(pool, mask), spec.size, weights);
      const double count = std::max(1.0, static_cast<double>(y.samples) * x.samples);
      for (int64_t i = 0; i < cells; ++i) {
        const auto soft = static_cast<float>(weights.bins[static_cast<size_t>(i)] / count);
        target[i] = !spec.threshold ? soft : soft >= 0.5f ? 1.0f : 0.0f;
      }
    }
  });
}

}  // namespace soma::cpu
