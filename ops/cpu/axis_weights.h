// RoIAlign is separable: a bin is the sum over rows and columns of weight * weight * cell. Here are
// the weights of one axis as a sparse matrix (compressed rows), and its transpose, which is what
// the gradient sums with. Neighbouring samples share cells, so merging them saves up to 3 in 4.
#pragma once
#include <algorithm>
#include <vector>

#include "ops/cpu/roi_align_kernel.h"
#include "ops/math/bilinear.h"
#include "ops/math/roi.h"

namespace soma::cpu {

template <class T>
class AxisWeights {
 public:
  // A row per bin; inputs are the cells of a map of `extent`. Every sample weighs `sample_weight`.
  // The positions are computed in G, the weights added in T.
  template <class G>
  void build(const RoiAxis<G>& axis, int bins, int64_t extent, T sample_weight) {
    begin_.assign(1, 0);
    index_.clear();
    weight_.clear();
    const auto cells = static_cast<int32_t>(extent);
    for (int32_t bin = 0; bin < bins; ++bin) {
      const SampleRange range = roi_sample_range(axis, bin, cells);
      for (int32_t sample = range.first; sample < range.last; ++sample) {
        const LinearTap<G> tap = linear_tap(roi_sample(axis, bin, sample), cells);
        if (!tap.inside) continue;
        add(tap.low, static_cast<T>(tap.weight_low) * sample_weight);
        if (tap.weight_high != 0) add(tap.high, static_cast<T>(tap.weight_high) * sample_weight);
      }
      begin_.push_back(static_cast<int32_t>(index_.size()));
    }
  }

  // A row per cell in [first, last); inputs are the rows of `source`.
  void transpose(const AxisWeights& source, int64_t first, int64_t last) {
    begin_.assign(static_cast<size_t>(last - first) + 1, 0);
    for (const int32_t cell : source.index_) {
      if (cell >= first && cell < last) ++begin_[static_cast<size_t>(cell - first) + 1];
    }
    for (size_t r = 1; r < begin_.size(); ++r) begin_[r] += begin_[r - 1];
    index_.resize(static_cast<size_t>(begin_.back()));
    weight_.resize(index_.size());
    next_.assign(begin_.begin(), begin_.end());
    for (size_t bin = 0; bin + 1 < source.begin_.size(); ++bin) {
      for (auto k = static_cast<size_t>(source.begin_[bin]);
           k < static_cast<size_t>(source.begin_[bin + 1]); ++k) {
        const int32_t cell = source.index_[k];
        if (cell < first || cell >= last) continue;
        const auto to = static_cast<size_t>(next_[static_cast<size_t>(cell - first)]++);
        index_[to] = static_cast<int32_t>(bin);
        weight_[to] = source.weight_[k];
      }
    }
  }

  SparseRows<T> rows() const {
    return {begin_.data(), index_.data(), weight_.data(), static_cast<int64_t>(begin_.size()) - 1};
  }
  bool empty() const { return index_.empty(); }
  // The range of inputs with a weight; not for an empty matrix.
  int64_t lowest() const { return *std::min_element(index_.begin(), index_.end()); }
  int64_t beyond() const { return *std::max_element(index_.begin(), index_.end()) + 1; }

 private:
  // Samples ascend, so a cell that is known is one of the last two of its row. (They descend in
  // a RoI with swapped corners, where a cell may be listed twice.)
  void add(int32_t cell, T weight) {
    for (size_t k = index_.size(), steps = 0; k-- > static_cast<size_t>(begin_.back()) && steps < 2;
         ++steps) {
      if (index_[k] == cell) {
        weight_[k] += weight;
        return;
      }
    }
    index_.push_back(cell);
    weight_.push_back(weight);
  }

  std::vector<int32_t> begin_, index_, next_;
  std::vector<T> weight_;
};

}  // namespace soma::cpu
